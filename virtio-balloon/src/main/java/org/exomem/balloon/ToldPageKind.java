package org.exomem.balloon;

/** What a guest's driver has told of pages, as {@link VirtioBalloon#told} gives it. */
public enum ToldPageKind {
    /** It is in the balloon. */
    BALLOONED,
    /** It was hinted in the session that runs, or has stopped and is not done. */
    HINTED,
    /** It was free in the last answer to a request for free pages; the guest may have used it since. */
    FREE,
    /** It was reported free by this driver, and given back to the host; the guest may have used it since. */
    REPORTED
}
