package org.exomem.migration.pagesource;

/** Whether a source's guesses are certain at a pause (MIG-SETTLE-2). */
public enum Settling {
    /** They are certain from now on. */
    CERTAIN,
    /** They may be at another pause. */
    NOT_NOW,
    /** They never will be. */
    NEVER
}
