package org.exomem.backend.launch;

import java.util.Optional;
import java.util.Set;

/**
 * An option of a VMM's command line, in QEMU's syntax.
 *
 * @param name without the dash; empty for a word without an option, which is a disk
 * @param value the argument, if the option takes one
 */
record VmmOption(String name, Optional<String> value) {
    /** The options without a value. */
    private static final Set<String> FLAGS = Set.of(
            "S",
            "daemonize",
            "enable-kvm",
            "enable-sync-profile",
            "full-screen",
            "h",
            "help",
            "mem-prealloc",
            "no-acpi",
            "no-fd-bootchk",
            "no-hpet",
            "no-reboot",
            "no-shutdown",
            "no-user-config",
            "nodefaults",
            "nographic",
            "one-insn-per-tb",
            "only-migratable",
            "preconfig",
            "s",
            "semihosting",
            "singlestep",
            "snapshot",
            "usb",
            "version",
            "win2k-hack",
            "xen-attach");

    static boolean isFlag(String name) {
        return FLAGS.contains(name);
    }

    static VmmOption flag(String name) {
        return new VmmOption(name, Optional.empty());
    }

    static VmmOption of(String name, String value) {
        return new VmmOption(name, Optional.of(value));
    }

    boolean is(String other) {
        return name.equals(other);
    }

    /** The properties in its value; empty for an option without a value. */
    VmmProperties properties() {
        return VmmProperties.parse(value.orElse(""));
    }

    VmmOption with(VmmProperties properties) {
        return of(name, properties.toString());
    }
}
