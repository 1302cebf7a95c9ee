package org.exomem.migration.precopy;

import java.util.EnumSet;
import java.util.Set;

/** Ways to break a rule on purpose. */
enum Mutant {
    NONE,
    /** Descriptors are taken for certain while a lock is held. */
    LOCK_NOT_LOOKED_AT,
    /** What descriptors mark while the guest runs is left out for good. */
    GUESS_TAKEN_FOR_CERTAIN,
    /** The guest moves its descriptors away and leaves the guard as it was. */
    GUARD_NOT_CHANGED,
    /** A hint counts whenever its session began. */
    START_NOT_CHECKED,
    /** What waits in the feeds is drained before the sync and not after it. */
    DRAIN_BEFORE_SYNC,
    /** A hint counts also after its session's end. */
    END_NOT_CHECKED,
    /** The device takes the driver's answer for the beginning of a session, and not that it issued the id. */
    BEGINS_WITH_THE_ANSWER,
    /** The log is read, and then cleared. */
    FETCH_THEN_CLEAR,
    /** A write is taken for done when it is told. */
    EARLY_WRITES_FORGOTTEN,
    /** A message that was lost is not noticed. */
    LOSSES_IGNORED,
    /** Nor one that was lost before the source was there, but after it was subscribed for. */
    EARLY_LOSSES_IGNORED,
    /** The guest takes pages out of the balloon without telling. */
    NOT_TOLD_OF_DEFLATION,
    /** The device answers a deflation, and then tells of it. */
    DEFLATION_TOLD_LATE,
    /** The device answers a plug request, and then tells of it. */
    PLUG_TOLD_LATE,
    /** A reset of the balloon is not noticed. */
    RESET_IGNORED,
    /** There is no sync after the pause. */
    NO_LAST_SYNC,
    /** What is sent is read a second time, and not what the fingerprint is of. */
    READ_TWICE,
    /** Fingerprints are taken to be older than the hints, which they are not. */
    HINTED_BEFORE_LOOKING,
    /** What was sent after the last barrier is not owed again when the connection is lost. */
    LOST_NOT_OWED,
    /** What was sent after the last barrier is taken for what the destination has, though the connection was lost. */
    LOST_TAKEN_FOR_SENT,
    /** A hole excuses a page though nobody knows what the destination has of it. */
    LOST_EXCUSED_BY_A_HOLE,
    /** A page of zeros is not sent though nobody knows what the destination has of it. */
    LOST_ZEROS_NOT_SENT;

    /** Those that can only be noticed where a guest tells its page descriptors. */
    static final Set<Mutant> OF_DESCRIPTORS =
            EnumSet.of(LOCK_NOT_LOOKED_AT, GUESS_TAKEN_FOR_CERTAIN, GUARD_NOT_CHANGED);
}
