package org.exomem.backend.pager;

import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;

/**
 * A VM whose memory comes on demand, at one moment.
 *
 * @param image the folder that it comes from
 * @param pid of its VMM
 * @param since when this process began to serve it
 * @param owed bytes that have not arrived
 * @param arrived bytes that have arrived since then
 * @param faults the number of touches of missing pages that were answered
 * @param zeroFaults those of {@code faults} for pages that the image does not have
 * @param firstFaults those of {@code faults} in the first second, without {@code zeroFaults}
 * @param prefetched bytes that arrived before a thread waited for them
 * @param reason why threads wait, or why it has ended
 */
public record PagedState(
        String vm,
        Path image,
        int pid,
        Status status,
        Instant since,
        long owed,
        long arrived,
        long faults,
        long zeroFaults,
        long firstFaults,
        long prefetched,
        Optional<String> reason) {

    /** The status of a pager. */
    public enum Status {
        /** Pages arrive. */
        SERVING("serving"),
        /** Pages can't be read or placed now, and threads that need them wait. The pager tries again. */
        STALLED("stalled"),
        /** All pages have arrived. */
        COMPLETED("completed"),
        /** The VMM has ended before all pages had arrived. */
        VMM_ENDED("vmm-ended");

        private final String word;

        Status(String word) {
            this.word = word;
        }

        /** The word for people and programs. */
        public String word() {
            return word;
        }

        public boolean isOver() {
            return this == COMPLETED || this == VMM_ENDED;
        }
    }
}
