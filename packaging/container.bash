# Functions that boot a Debian in a folder, with its own systemd, in a container of systemd-nspawn, for the tests of packages. A Bash script
# sources this file after it has set "work" to a temporary folder, and "here" to this folder. Needs root.

container= leader=

step() { printf '== %s (%s s)\n' "$*" "$SECONDS"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# Waits up to 60 s (or $LIMIT) for a command to succeed.
until_true() {
    local end=$((SECONDS + ${LIMIT:-60}))
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        read -rt 0.1 <> <(:) || true
    done
}

# make_tree RELEASE TREE: creates a new Debian with systemd. EXOMEM_ROOT_RELEASE names an existing tree, which is copied instead.
make_tree() {
    local before=EXOMEM_ROOT_$1
    if [ -n "${!before:-}" ]; then
        cp -a --reflink=auto "${!before}" "$2"
    else
        local from
        # shellcheck disable=SC2034,SC1091 # topic: for messages of debian.bash
        from=$(topic=packages && . "$here/../tests/debian.bash" && mirror) || exit
        # Uses debootstrap's script of sid, because an older debootstrap does not know newer releases.
        debootstrap --variant=minbase --include=adduser,systemd,systemd-sysv,dbus,ca-certificates "$1" "$2" "$from" \
            /usr/share/debootstrap/scripts/sid >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "debootstrap $1"; }
    fi
    cp --remove-destination /etc/resolv.conf "$2/etc/resolv.conf"
    # Each container has its own machine id.
    tr -d - </proc/sys/kernel/random/uuid >"$2/etc/machine-id"
    ln -sf /dev/null "$2/etc/systemd/system/systemd-firstboot.service"
}

# boot TREE [OPTIONS OF systemd-nspawn]: boots a container. It does not register with the host's systemd. Its control groups are in one
# folder. Its mounts, and the files of systemd-nspawn in /run, disappear when it ends.
boot() {
    local tree=$1
    shift
    # shellcheck disable=SC2016 # for the inner shell
    unshare --mount --propagation private bash -euc '
        umount -R /sys/fs/cgroup
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
        mkdir -p "/sys/fs/cgroup/exomem-test-$$"
        echo $$ >"/sys/fs/cgroup/exomem-test-$$/cgroup.procs"
        mount -t tmpfs tmpfs /run
        exec systemd-nspawn "$@"' bash --quiet --boot --register=no --keep-unit --console=pipe --resolv-conf=off --machine=exomem-test \
        --system-call-filter="ptrace userfaultfd pidfd_open pidfd_getfd process_vm_readv process_vm_writev" \
        --directory="$tree" "$@" >"$work/console" 2>&1 </dev/null &
    container=$!
    until_true container_leader || { cat "$work/console" >&2; fail "systemd-nspawn"; }
    leader=$(container_leader)
    until_true is_up || { cat "$work/console" >&2; fail "systemd does not start: $(inside systemctl list-jobs --no-legend || true)"; }
}

# Ignores failed units, because some do not work in a container.
is_up() {
    case $(inside systemctl is-system-running 2>/dev/null) in
        running | degraded) return 0 ;;
        *) return 1 ;;
    esac
}

container_leader() {
    local child
    kill -0 "$container" || exit 1
    read -r child _ <"/proc/$container/task/$container/children"
    [ "$(cat "/proc/$child/comm")" = systemd ] && echo "$child"
}

# Runs a program in the container, as root.
inside() {
    nsenter --target "$leader" --mount --uts --ipc --pid --cgroup --root --wd -- \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=dumb DEBIAN_FRONTEND=noninteractive "$@"
}

# The path of a file of the container, from the host.
path() { printf '%s' "/proc/$leader/root$1"; }

# shut_down: ends everything that boot has started, and waits until it has ended.
shut_down() {
    [ -n "$container" ] || return 0
    # Signals only its own process: first for an orderly shutdown, then for an immediate end.
    kill -TERM "$container" 2>/dev/null || true
    LIMIT=20 until_true eval "! kill -0 $container" || kill -TERM "$container" 2>/dev/null || true
    wait "$container" 2>/dev/null || true
    local groups
    for groups in $(findmnt -rnt cgroup2 -o TARGET); do
        [ ! -d "$groups/exomem-test-$container" ] || find "$groups/exomem-test-$container" -depth -type d -exec rmdir {} + || true
    done
    container=
}

# apt PACKAGE...: installs packages in the container.
apt() { inside apt-get install -qq -y --no-install-recommends "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "apt-get install $*"; }; }
