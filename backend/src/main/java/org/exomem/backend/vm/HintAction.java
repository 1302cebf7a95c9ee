package org.exomem.backend.vm;

import java.util.Locale;

/** The requests for free page hinting that an operator can make. */
public enum HintAction {
    /** Begins a new session: the driver reports all its free pages, and keeps them. */
    START,
    /** Ends the hints of the session. The driver keeps the pages that it has reported. */
    STOP,
    /** Ends the session. The driver takes its pages back. */
    DONE;

    /** Its name on the control socket and the command line. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
