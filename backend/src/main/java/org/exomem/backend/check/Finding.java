package org.exomem.backend.check;

import java.util.Locale;

/**
 * A result of a check of the host.
 *
 * @param topic the checked thing, in a word or two
 * @param found its state, for people
 * @param change what to do; empty if there is nothing to do
 * @param brings the benefit of that; empty if there is nothing to do
 */
public record Finding(Level level, String topic, String found, String change, String brings) {
    /** How important a finding is. */
    public enum Level {
        OK,
        /** It works, and could work better. */
        ADVICE,
        /** Something does not work. */
        PROBLEM;

        /** The word for people and programs. */
        public String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    static Finding ok(String topic, String found) {
        return new Finding(Level.OK, topic, found, "", "");
    }

    static Finding advice(String topic, String found, String change, String brings) {
        return new Finding(Level.ADVICE, topic, found, change, brings);
    }

    static Finding problem(String topic, String found, String change, String brings) {
        return new Finding(Level.PROBLEM, topic, found, change, brings);
    }
}
