# Functions with which the setup scripts of the tests get programs from Debian's packages. An apt with lists and status of
# its own fetches the packages, which are unpacked and never installed. The system keeps its packages; there is no chroot
# and no mount. To be sourced by a Bash script that has set:
#
#   cache   the folder for complete parts
#   part    a folder in it for incomplete parts; the script empties it
#   topic   what needs all this, for messages ("real guests")
#
# Exit code 3: something is missing that the script can't get; the last line says what and how.

readonly keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { echo "$topic: $*" >&2; }
missing() { say "$*"; exit 3; }

# require_debian PACKAGES: ends unless this is a Debian; installs these packages of the system (words, possibly none).
require_debian() {
    [[ $(uname -s) == Linux && $(uname -m) == x86_64 ]] || missing "needs Linux on x86-64, this is $(uname -sm)"
    local program packages=$1
    for program in apt-get apt-cache dpkg flock; do
        command -v "$program" > /dev/null || missing "$program is missing: needs Debian or one of its derivatives"
    done
    [[ -e $keyring ]] || packages+=" debian-archive-keyring"
    [[ -n $packages ]] || return 0
    ((EUID == 0)) || missing "packages are missing; as root: apt-get install -y $packages"
    say "installing $packages"
    # shellcheck disable=SC2086
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages; } \
        > "$part/apt.log" 2>&1 || missing "can't install $packages: $(tail -n 1 "$part/apt.log")"
}

# lock_cache: no other process sets this cache up until the script ends. $part is empty, and is deleted at the end.
lock_cache() {
    { mkdir -p "$cache" 2> /dev/null && [[ -w $cache ]]; } || missing "can't write $cache (EXOMEM_CACHE names another folder)"
    exec 9> "$cache/lock"
    flock -n 9 || { say "waiting for another setup"; flock 9; }
    # The rest of a setup that was killed; the lock shows that no process works there.
    rm -rf "$part"
    mkdir "$part"
    trap 'rm -rf "$part"' EXIT
}

# The mirror of this machine, if it is a Debian: from its configuration, because it may have no lists yet.
mirror() {
    local uri
    uri=${EXOMEM_DEBIAN_MIRROR:-$(
        cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null | grep -v '^ *#' \
            | grep -m 1 -oE '[a-z]+://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' '
    )} || true
    [[ -n $uri ]] || missing "no Debian mirror is configured here; EXOMEM_DEBIAN_MIRROR names one"
    echo "$uri"
}

# private_apt SUITE [KEYRING]: lists of that suite alone, in $part/SUITE, signed by Debian's keys if no others are named.
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
        || missing "can't read Debian $suite from $from (EXOMEM_DEBIAN_MIRROR names another mirror): $(tail -n 1 "$dir/log")"
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

# put DIR NAME: the content of DIR is complete; it becomes NAME in the cache.
put() {
    mkdir -p "$(dirname "$cache/$2")"
    rm -rf "${cache:?}/$2"
    mv -T "$1" "$cache/$2"
}
