package org.exomem.benchmarks;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.exomem.benchmarks.PageRuns.Run;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;

/** Buffers full of page numbers, 256 in each as in Linux, written before the measurement. */
final class PfnBuffers {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int PER_BUFFER = BalloonDriver.PFNS_PER_BUFFER;

    private final List<List<Buffer>> chains = new ArrayList<>();

    /** @param at address of the buffers, with room for 4 bytes for each page, in the guest's own memory */
    PfnBuffers(GuestRam ram, long at, PageRuns runs) {
        long end = at;
        for (Run run : runs.runs()) {
            for (int i = 0; i < run.pages(); i++) {
                ram.putInt(end, (int) (run.first() + i));
                end += Integer.BYTES;
            }
        }
        for (long start = at; start < end; start += (long) PER_BUFFER * Integer.BYTES) {
            chains.add(List.of(Buffer.readable(start, Math.min(end - start, (long) PER_BUFFER * Integer.BYTES))));
        }
    }

    /**
     * Makes all of them available, then notifies once, and sleeps until the device has used the last.
     *
     * @return the nanoseconds since the notification
     */
    long send(RingDriver ring) throws IOException {
        for (List<Buffer> chain : chains) {
            ring.add(chain);
        }
        long start = System.nanoTime();
        ring.kick();
        while (ring.outstanding() > 0) {
            ring.await(LIMIT);
        }
        return System.nanoTime() - start;
    }

    int count() {
        return chains.size();
    }
}
