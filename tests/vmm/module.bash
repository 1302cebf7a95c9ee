# Functions that build modules for a kernel other than this machine's. A Bash script sources this file after it has set:
#
#   source   the driver's folder
#   qemu     a tree of unpacked packages, with a libc that is new enough for the build tools of those kernels

# Prints the sources of the driver, without files that a build has left in its folder.
sources_of_module() { find "$source" -maxdepth 1 \( -name Kbuild -o -name '*.[ch]' \) ! -name '*.mod.c' | sort; }

# make_module HEADERS CONFIG COMMON DIR OPTION...: builds the module in DIR, with these additional options of make. HEADERS is
# the folder of the unpacked header packages. CONFIG is the kernel's tree in it. COMMON is the tree that Debian's
# configurations share, or empty. make's output goes to DIR.log. Returns make's exit code.
make_module() {
    local headers=$1 config=$2 common=$3 dir=$4 tool
    shift 4
    # The Makefile of the package refers to /usr/src.
    [[ -z $common ]] || printf 'KBUILD_OUTPUT=%s\ninclude %s/Makefile\n' "$config" "$common" > "$config/Makefile"
    # The build tools are programs of that suite, and need its libc.
    find "$headers" -type f -perm -1 ! -name '*.elf' | while read -r tool; do
        [[ $(head -c 4 "$tool" | tr -d '\0') == $'\x7fELF' ]] || continue
        [[ -e $tool.elf ]] || mv "$tool" "$tool.elf"
        printf '#!/bin/sh\nexec "%s" --library-path "%s" --argv0 "$0" "%s" "$@"\n' "$qemu/usr/lib64/ld-linux-x86-64.so.2" \
            "$qemu/usr/lib/x86_64-linux-gnu" "$tool.elf" > "$tool"
        chmod +x "$tool"
    done
    # The kernels were built with other compilers, which may be newer. So an option and an attribute are disabled, and also
    # BTF debug information, which needs an additional tool.
    make -C "$config" M="$dir" CC=cc CROSS_COMPILE= KCFLAGS="-Werror -Wno-attributes" CONFIG_DEBUG_INFO_BTF_MODULES= \
        CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT= "$@" modules > "$dir.log" 2>&1
}
