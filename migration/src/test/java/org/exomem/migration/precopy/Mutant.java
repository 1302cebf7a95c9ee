package org.exomem.migration.precopy;

import java.util.EnumSet;
import java.util.Set;

/** Deliberate violations of rules. */
enum Mutant {
    NONE,
    /** Descriptors count as certain while a lock is held. */
    LOCK_NOT_LOOKED_AT,
    /** Pages that descriptors mark while the guest runs are left out for good. */
    GUESS_TAKEN_FOR_CERTAIN,
    /** The guest moves its descriptors, and does not change the guard. */
    GUARD_NOT_CHANGED,
    /** A hint counts even if its session began too early. */
    START_NOT_CHECKED,
    /** The feeds are drained before the sync instead of after it. */
    DRAIN_BEFORE_SYNC,
    /** A hint counts even after its session's end. */
    END_NOT_CHECKED,
    /** The device treats the driver's answer as the beginning of a session, instead of the issue of the id. */
    BEGINS_WITH_THE_ANSWER,
    /** The log is read and then cleared, in two steps. */
    FETCH_THEN_CLEAR,
    /** A write counts as done when it is marked. */
    EARLY_WRITES_FORGOTTEN,
    /** A lost message is not noticed. */
    LOSSES_IGNORED,
    /** A message that was lost before the source existed, but after the subscription, is not noticed. */
    EARLY_LOSSES_IGNORED,
    /** The guest takes pages out of the balloon without a request. */
    NOT_TOLD_OF_DEFLATION,
    /** The device answers a deflate request, and reports it only then. */
    DEFLATION_TOLD_LATE,
    /** The device answers a plug request, and reports it only then. */
    PLUG_TOLD_LATE,
    /** A reset of the balloon is not noticed. */
    RESET_IGNORED,
    /** There is no sync after the pause. */
    NO_LAST_SYNC,
    /** The page is read a second time to be sent, so its fingerprint is of other content. */
    READ_TWICE,
    /** Fingerprints count as older than the hints, which they are not. */
    HINTED_BEFORE_LOOKING,
    /** Pages that were sent after the last barrier are not sent again when the connection is lost. */
    LOST_NOT_OWED,
    /** Pages that were sent after the last barrier count as received, although the connection was lost. */
    LOST_TAKEN_FOR_SENT,
    /** A hole excludes a page although the destination's content of it is unknown. */
    LOST_EXCUSED_BY_A_HOLE,
    /** A zero page is not sent although the destination's content of it is unknown. */
    LOST_ZEROS_NOT_SENT;

    /** Mutants that can be noticed only if the guest reports its page descriptors. */
    static final Set<Mutant> OF_DESCRIPTORS =
            EnumSet.of(LOCK_NOT_LOOKED_AT, GUESS_TAKEN_FOR_CERTAIN, GUARD_NOT_CHANGED);
}
