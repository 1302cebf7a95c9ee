package org.exomem.backend.vm;

import java.util.Locale;

/** What an operator may do with free page hinting. */
public enum HintAction {
    /** A new session: the driver tells all its free pages, and keeps them. */
    START,
    /** No more hints are wanted; the driver keeps the pages it has told of. */
    STOP,
    /** The session is over; the driver has its pages back. */
    DONE;

    /** Its name on the control socket and the command line. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
