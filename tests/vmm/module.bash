# How the scripts beside this build modules for a kernel that is not this machine's. To be sourced by a Bash
# script that has set:
#
#   source   the driver's folder
#   qemu     a tree of unpacked packages with a libc that is as new as any that those kernels' tools were linked with

# What a build leaves in the driver's folder is none.
sources_of_module() { find "$source" -maxdepth 1 \( -name Kbuild -o -name '*.[ch]' \) ! -name '*.mod.c' | sort; }

# make_module HEADERS CONFIG COMMON DIR OPTION...: builds what is in DIR, with these further words for make. HEADERS is
# where the packages of headers were unpacked, CONFIG in it the tree of the kernel; COMMON is what the configurations of a
# Debian share, or empty. All of make's output goes to DIR.log. Fails as make does.
make_module() {
    local headers=$1 config=$2 common=$3 dir=$4 tool
    shift 4
    # The packages' own file names /usr/src.
    [[ -z $common ]] || printf 'KBUILD_OUTPUT=%s\ninclude %s/Makefile\n' "$config" "$common" > "$config/Makefile"
    # The tools of the build are programs of that suite, which look for its libc.
    find "$headers" -type f -perm -1 ! -name '*.elf' | while read -r tool; do
        [[ $(head -c 4 "$tool" | tr -d '\0') == $'\x7fELF' ]] || continue
        [[ -e $tool.elf ]] || mv "$tool" "$tool.elf"
        printf '#!/bin/sh\nexec "%s" --library-path "%s" --argv0 "$0" "%s" "$@"\n' "$qemu/usr/lib64/ld-linux-x86-64.so.2" \
            "$qemu/usr/lib/x86_64-linux-gnu" "$tool.elf" > "$tool"
        chmod +x "$tool"
    done
    # The kernels' compilers are others, and may be newer: an option and an attribute of theirs are left out, and debugging
    # information that needs a tool of its own.
    make -C "$config" M="$dir" CC=cc CROSS_COMPILE= KCFLAGS="-Werror -Wno-attributes" CONFIG_DEBUG_INFO_BTF_MODULES= \
        CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT= "$@" modules > "$dir.log" 2>&1
}
