package org.exomem.backend.pager;

import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;

/**
 * A VM whose memory comes on demand, at one moment.
 *
 * @param image from which it comes
 * @param pid of its VMM
 * @param since when this process began with it
 * @param owed bytes that have not arrived
 * @param arrived bytes that have arrived since then
 * @param faults touches of missing pages that were answered
 * @param zeroFaults those of them that found a page which the image has not
 * @param firstFaults those of {@code faults} that did not, in the first second
 * @param prefetched bytes that were brought before anybody waited for them
 * @param reason why whoever needs a page waits, or why it has ended
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

    /** What is done. */
    public enum Status {
        /** Pages come. */
        SERVING("serving"),
        /** Pages can't be had now, and whoever needs one waits; it is tried again. */
        STALLED("stalled"),
        /** All have arrived. */
        COMPLETED("completed"),
        /** The VMM has ended before. */
        VMM_ENDED("vmm-ended");

        private final String word;

        Status(String word) {
            this.word = word;
        }

        /** As people and programs read it. */
        public String word() {
            return word;
        }

        public boolean isOver() {
            return this == COMPLETED || this == VMM_ENDED;
        }
    }
}
