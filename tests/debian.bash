# Functions for the setup scripts of the tests, which get programs from Debian packages. An apt with its own lists and
# status downloads the packages. They are unpacked and never installed, without chroot and mounts. A Bash script sources
# this file after it has set:
#
#   cache   the folder for complete parts
#   part    a folder in it for incomplete parts; this script empties it
#   topic   a prefix for messages ("vmm setup")
#
# Exit code 3: the script can't provide a requirement; the last line names it and the remedy.

readonly keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { echo "$topic: $*" >&2; }
missing() { say "$*"; exit 3; }

# require_debian PACKAGES: exits unless this system is a Debian; installs these packages (separated by spaces, may be empty).
require_debian() {
    [[ $(uname -s) == Linux && $(uname -m) == x86_64 ]] || missing "requires Linux on x86-64; this machine has $(uname -sm)"
    local program packages=$1
    for program in apt-get apt-cache dpkg flock; do
        command -v "$program" > /dev/null || missing "$program is missing: requires Debian or a derivative"
    done
    [[ -e $keyring ]] || packages+=" debian-archive-keyring"
    [[ -n $packages ]] || return 0
    ((EUID == 0)) || missing "packages are missing; install them as root: apt-get install -y $packages"
    say "installing $packages"
    # shellcheck disable=SC2086
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages; } \
        > "$part/apt.log" 2>&1 || missing "can't install $packages: $(tail -n 1 "$part/apt.log")"
}

# lock_cache: locks the cache against other setups until the script ends. Creates an empty $part, which is deleted at the end.
lock_cache() {
    { mkdir -p "$cache" 2> /dev/null && [[ -w $cache ]]; } || missing "can't write to $cache (set EXOMEM_CACHE to use another folder)"
    exec 9> "$cache/lock"
    flock -n 9 || { say "waiting until another setup has ended"; flock 9; }
    # Removes the rest of a setup that was killed. The lock shows that no other process works there.
    rm -rf "$part"
    mkdir "$part"
    trap 'rm -rf "$part"' EXIT
}

# Prints the Debian mirror of this machine. Reads its configuration, because it may have no package lists yet.
mirror() {
    local uri
    uri=${EXOMEM_DEBIAN_MIRROR:-$(
        cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null | grep -v '^ *#' \
            | grep -m 1 -oE '[a-z]+://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' '
    )} || true
    [[ -n $uri ]] || missing "no Debian mirror is configured on this machine; set EXOMEM_DEBIAN_MIRROR"
    echo "$uri"
}

# private_apt SUITE [KEYRING]: downloads the lists of that suite to $part/SUITE, and checks them with Debian's keys by default.
private_apt() {
    local suite=$1 dir=$part/$1 keys=${2:-$keyring} from
    from=$(mirror)
    mkdir -p "$dir/lists/partial" "$dir/archives/partial"
    : > "$dir/status"
    echo "deb [arch=amd64 signed-by=$keys] $from $suite main" > "$dir/sources.list"
    cat > "$dir/apt.conf" << CONF
Dir::State::lists "$dir/lists";
Dir::State::status "$dir/status";
Dir::State::extended_states "$dir/extended_states";
Dir::Cache "$dir";
Dir::Cache::archives "$dir/archives";
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Log "$dir";
APT::Architecture "amd64";
APT::Install-Recommends "false";
APT::Sandbox::User "$(id -un)";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
    apt-get -c "$dir/apt.conf" update -qq > "$dir/log" 2>&1 \
        || missing "can't read Debian $suite from $from (set EXOMEM_DEBIAN_MIRROR to use another mirror): $(tail -n 1 "$dir/log")"
}

# unpack SUITE DIR PACKAGE...: downloads these packages and unpacks them.
unpack() {
    local suite=$1 dir=$2 deb
    shift 2
    mkdir -p "$part/debs" "$dir"
    (cd "$part/debs" && apt-get -c "$part/$suite/apt.conf" download -qq "$@") > "$part/$suite/log" 2>&1 \
        || missing "can't download $* of Debian $suite: $(tail -n 1 "$part/$suite/log")"
    for deb in "$part"/debs/*.deb; do dpkg -x "$deb" "$dir"; done
    rm -r "$part/debs"
}

version_of() { apt-cache -c "$part/$1/apt.conf" show --no-all-versions "$2" | sed -n 's/^Version: //p'; }

# put DIR NAME: moves DIR, which is complete, to NAME in the cache.
put() {
    mkdir -p "$(dirname "$cache/$2")"
    rm -rf "${cache:?}/$2"
    mv -T "$1" "$cache/$2"
}
