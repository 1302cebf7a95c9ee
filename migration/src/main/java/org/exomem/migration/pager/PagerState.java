package org.exomem.migration.pager;

import java.util.Optional;

/**
 * A pager at one moment.
 *
 * @param pages of the guest's memory
 * @param owed pages that have not arrived
 * @param faults touches of missing pages that were answered
 * @param zeroFaults those of them that found a page that is not owed
 * @param prefetched pages that were brought before anybody waited for them
 * @param reason why faults wait or the pager has ended, if that is so
 */
public record PagerState(
        Status status, long pages, long owed, long faults, long zeroFaults, long prefetched, Optional<String> reason) {

    /** What it does. */
    public enum Status {
        /** Faults are served. */
        SERVING("serving"),
        /** The source can't give a page now, or the host has no memory for it; who needs one waits, and it is tried again. */
        STALLED("stalled"),
        /** All pages have arrived, and nothing of the pager is left in the VMM. */
        COMPLETED("completed"),
        /** The VMM has ended before. */
        VMM_ENDED("vmm-ended"),
        /** It was closed before; who touches a page that is missing waits for the next pager. */
        CLOSED("closed");

        private final String word;

        Status(String word) {
            this.word = word;
        }

        /** As people and programs read it. */
        public String word() {
            return word;
        }

        public boolean isOver() {
            return this == COMPLETED || this == VMM_ENDED || this == CLOSED;
        }
    }
}
