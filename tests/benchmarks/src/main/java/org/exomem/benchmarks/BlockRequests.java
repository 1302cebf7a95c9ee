package org.exomem.benchmarks;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.exomem.benchmarks.PageRuns.Run;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.conformance.guest.RingDriver;

/** Requests to plug or to unplug, one for each run of blocks, written before the measurement. */
final class BlockRequests {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int REQUEST_SIZE = 24;
    private static final int RESPONSE_SIZE = 10;
    /** The distance between two requests, each with its response, in bytes: a cache line. */
    private static final int STRIDE = 64;

    private static final int RESPONSE = 32;
    private static final byte NO_ANSWER = 0x5a;

    private final GuestRam ram;
    private final List<Run> runs;
    private final List<Long> requests = new ArrayList<>();
    private final List<List<Buffer>> chains = new ArrayList<>();

    /** @param runs pages; each run is a number of whole blocks */
    BlockRequests(GuestRam ram, List<Run> runs) {
        this.ram = ram;
        this.runs = runs;
        long at = ram.allocate((long) STRIDE * runs.size(), STRIDE);
        for (Run run : runs) {
            ram.fill(at, STRIDE, (byte) 0);
            ram.putLong(at + 8, run.address());
            ram.putShort(at + 16, (int) (run.bytes() / MemoryGuest.BLOCK));
            requests.add(at);
            chains.add(List.of(Buffer.readable(at, REQUEST_SIZE), Buffer.writable(at + RESPONSE, RESPONSE_SIZE)));
            at += STRIDE;
        }
    }

    /** Plugs all runs; see {@link #send}. */
    long plug(RingDriver ring) throws IOException {
        return send(ring, MemDriver.PLUG);
    }

    /** Unplugs all runs; see {@link #send}. */
    long unplug(RingDriver ring) throws IOException {
        return send(ring, MemDriver.UNPLUG);
    }

    /**
     * Makes all requests available, then notifies once, and sleeps until the device has answered the last.
     *
     * @return the nanoseconds since the notification
     * @throws IOException if one was not acknowledged
     */
    private long send(RingDriver ring, int type) throws IOException {
        for (int i = 0; i < chains.size(); i++) {
            ram.putShort(requests.get(i), type);
            ram.fill(requests.get(i) + RESPONSE, RESPONSE_SIZE, NO_ANSWER);
            ring.add(chains.get(i));
        }
        long start = System.nanoTime();
        ring.kick();
        while (ring.outstanding() > 0) {
            ring.await(LIMIT);
        }
        long nanos = System.nanoTime() - start;
        for (long request : requests) {
            int answer = ram.getByte(request + RESPONSE);
            if (answer != MemDriver.Answer.ACK.ordinal()) {
                throw new IOException("a request of type " + type + " was answered with " + answer);
            }
        }
        return nanos;
    }

    int count() {
        return runs.size();
    }
}
