package org.exomem.migration.pagesource;

/** Whether what a source guessed is certain at a pause (MIG-SETTLE-2). */
public enum Settling {
    /** What it tells from now on is certain. */
    CERTAIN,
    /** It may be at another pause. */
    NOT_NOW,
    /** It will not be. */
    NEVER
}
