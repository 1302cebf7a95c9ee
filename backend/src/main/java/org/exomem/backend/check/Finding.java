package org.exomem.backend.check;

import java.util.Locale;

/**
 * What was found of one thing at the host.
 *
 * @param topic what was looked at, in a word or two
 * @param found how it is, for people
 * @param change what to do; empty if nothing is to be done
 * @param brings what that is good for; empty if nothing is to be done
 */
public record Finding(Level level, String topic, String found, String change, String brings) {
    /** Whether something is to be done. */
    public enum Level {
        OK,
        /** It works, and could do more or better. */
        ADVICE,
        /** Something does not work so. */
        PROBLEM;

        /** As people and programs read it. */
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
