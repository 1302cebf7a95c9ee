package org.exomem.migration.precopy;

/**
 * What to do with pages that were hinted, where the VMM does not log writes. (Where it does, hinted pages that were not
 * written since are not sent.)
 */
public enum HintedPages {
    /** They are sent, but last (MIG-SKIP-1). */
    SEND,
    /**
     * They are not sent if their content at the pause is the one from before the hint session. Costs a look at all memory
     * before the first round, and the time of another one while the guest is paused. Can't see that a guest took a page back
     * and wrote into it exactly what had been in it (MIG-SKIP-3).
     */
    SKIP_UNCHANGED
}
