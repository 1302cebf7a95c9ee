package org.exomem.backend.health;

import java.util.Locale;

/**
 * Something that is wrong.
 *
 * @param vm whose it is; empty if it is the process's
 * @param device the VM's device; empty if it is no single one's
 * @param what is wrong, a sentence for people
 * @param advice what to do about it, a sentence for people
 */
public record Problem(Severity severity, String vm, String device, String what, String advice) {
    /** How bad it is. */
    public enum Severity {
        /** A VM does not get what it needs now. */
        CRITICAL,
        /** It will become worse, or less is done than was asked for. */
        WARNING;

        /** As people and programs read it. */
        public String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    static Problem critical(String vm, String device, String what, String advice) {
        return new Problem(Severity.CRITICAL, vm, device, what, advice);
    }

    static Problem warning(String vm, String device, String what, String advice) {
        return new Problem(Severity.WARNING, vm, device, what, advice);
    }

    /** Whose it is and what, on one line. */
    public String text() {
        String whose = vm.isEmpty() ? "" : vm + (device.isEmpty() ? "" : " " + device) + ": ";
        return severity.word() + ": " + whose + what;
    }
}
