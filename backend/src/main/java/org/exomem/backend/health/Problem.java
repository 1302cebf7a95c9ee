package org.exomem.backend.health;

import java.util.Locale;

/**
 * A problem of the process or a VM.
 *
 * @param vm its name; empty if it is a problem of the process
 * @param device the VM's device; empty if it is not a problem of a single device
 * @param what the problem, a sentence for people
 * @param advice the remedy, a sentence for people
 */
public record Problem(Severity severity, String vm, String device, String what, String advice) {
    /** How serious a problem is. */
    public enum Severity {
        /** A VM does not get what it needs now. */
        CRITICAL,
        /** It will become worse, or less is done than was requested. */
        WARNING;

        /** The word for people and programs. */
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

    /** The VM, the device and the problem, on one line. */
    public String text() {
        String whose = vm.isEmpty() ? "" : vm + (device.isEmpty() ? "" : " " + device) + ": ";
        return severity.word() + ": " + whose + what;
    }
}
