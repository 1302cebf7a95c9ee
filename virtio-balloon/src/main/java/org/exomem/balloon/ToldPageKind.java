package org.exomem.balloon;

/** What a guest's driver has told the device about pages, for {@link VirtioBalloon#told}. */
public enum ToldPageKind {
    /** It is in the balloon. */
    BALLOONED,
    /** It was hinted in a session that runs, or that has stopped and is not done. */
    HINTED,
    /** It was free in the last answer to a request for free pages. The guest may have used it since. */
    FREE,
    /** This driver reported it free, and it was given back to the host. The guest may have used it since. */
    REPORTED
}
