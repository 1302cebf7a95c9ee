package org.exomem.migration.precopy;

/**
 * What to do with hinted pages if the VMM does not log writes. (If it does, hinted pages that were not written since are not
 * sent.)
 */
public enum HintedPages {
    /** They are sent, but last (MIG-SKIP-1). */
    SEND,
    /**
     * They are not sent if their content at the pause equals that before the hint session. This needs one read of all memory
     * before the first round, and one more during the pause. It can't detect that a guest took a page back and wrote exactly
     * its earlier content (MIG-SKIP-3).
     */
    SKIP_UNCHANGED
}
