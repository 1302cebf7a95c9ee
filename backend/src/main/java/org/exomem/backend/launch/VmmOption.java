package org.exomem.backend.launch;

import java.util.Optional;
import java.util.Set;

/**
 * One option of a VMM's command line, as QEMU has them.
 *
 * @param name without the dash; empty for a word that stands alone, which is a disk
 * @param value what follows it, if it takes anything
 */
record VmmOption(String name, Optional<String> value) {
    /** All others take a value. */
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

    /** The properties that its value has; empty for an option without. */
    VmmProperties properties() {
        return VmmProperties.parse(value.orElse(""));
    }

    VmmOption with(VmmProperties properties) {
        return of(name, properties.toString());
    }
}
