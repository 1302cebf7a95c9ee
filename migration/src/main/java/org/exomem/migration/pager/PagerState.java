package org.exomem.migration.pager;

import java.util.Optional;

/**
 * A pager at one moment.
 *
 * @param pages the number of pages of the guest's memory
 * @param owed the number of pages that have not arrived
 * @param faults the number of touches of missing pages that were answered
 * @param zeroFaults those of {@code faults} whose page was not owed
 * @param prefetched the number of pages that arrived before a thread waited for them
 * @param reason why threads wait, or why the pager has ended
 */
public record PagerState(
        Status status, long pages, long owed, long faults, long zeroFaults, long prefetched, Optional<String> reason) {

    /** The status of a pager. */
    public enum Status {
        /** Faults are served. */
        SERVING("serving"),
        /**
         * The source can't give a page now, or the host has no memory for it. Threads that need it wait, and the pager tries
         * again.
         */
        STALLED("stalled"),
        /** All pages have arrived, and nothing of the pager is left in the VMM. */
        COMPLETED("completed"),
        /** The VMM has ended before all pages had arrived. */
        VMM_ENDED("vmm-ended"),
        /** The pager was closed before. Threads that touch missing pages wait for the next pager. */
        CLOSED("closed");

        private final String word;

        Status(String word) {
            this.word = word;
        }

        /** The word for people and programs. */
        public String word() {
            return word;
        }

        public boolean isOver() {
            return this == COMPLETED || this == VMM_ENDED || this == CLOSED;
        }
    }
}
