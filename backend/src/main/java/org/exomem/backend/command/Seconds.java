package org.exomem.backend.command;

import org.exomem.backend.config.ConfigException;

/** The range of a user's seconds. */
final class Seconds {
    private static final int MOST = 86_400;

    private Seconds() {}

    /** Returns the number if it is from 0 to a day. */
    static int of(String option, int seconds) throws ConfigException {
        if (seconds < 0 || seconds > MOST) {
            throw new ConfigException(option + " " + seconds + ": must be from 0 to " + MOST + " seconds, a day");
        }
        return seconds;
    }
}
