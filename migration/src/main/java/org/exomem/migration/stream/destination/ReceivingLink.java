package org.exomem.migration.stream.destination;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.format.ChunkType;
import org.exomem.migration.stream.format.ChunkWriter;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.wire.Wire;
import org.jspecify.annotations.Nullable;

/**
 * The destination's connections, from one connect of the source to the next, and their progress in the present round.
 * Guarded by the session that owns it, except messages on the main connection.
 */
@SuppressWarnings("ArrayRecordComponent")
final class ReceivingLink {
    final Wire main;
    final Set<StreamFeature> features;
    final @Nullable Wire[] data;
    final boolean[] ended;
    private final ChunkWriter writer;
    private final byte[] @Nullable [] digests;
    /** Guarded by the writer. */
    private boolean saidRunning;

    /** The number of threads that serve these connections, or will. */
    int threads = 1;

    ReceivingLink(Wire main, ChunkWriter writer, Set<StreamFeature> features, int channels) {
        this.main = main;
        this.writer = writer;
        this.features = features;
        this.data = new Wire[channels];
        this.ended = new boolean[channels];
        this.digests = new byte[channels][];
    }

    /**
     * Notes that a connection has received all of a round. Returns the digests of all connections if it is the last one,
     * otherwise an empty list.
     *
     * @throws StreamFault if it has ended the round already
     */
    List<byte[]> arrived(int channel, byte[] digest) throws StreamFault {
        if (digests[channel] != null) {
            throw new StreamFault("data connection " + channel + " ended a round twice");
        }
        digests[channel] = digest;
        for (byte[] other : digests) {
            if (other == null) {
                return List.of();
            }
        }
        List<byte[]> all = List.of(Arrays.copyOf(digests, digests.length));
        Arrays.fill(digests, null);
        return all;
    }

    /** True if post-copy is possible (STR-PST-1). */
    boolean mayBeOwed() {
        return features.contains(StreamFeature.POSTCOPY) && features.contains(StreamFeature.RESUME) && data.length > 1;
    }

    boolean allEnded() {
        for (boolean one : ended) {
            if (!one) {
                return false;
            }
        }
        return true;
    }

    /** Sends a message on the main connection. */
    void say(ChunkWriter.Saying saying) throws IOException {
        synchronized (writer) {
            saying.to(writer);
            writer.flush();
        }
    }

    /** Sends once on these connections that the guest runs here, or has run. */
    void sayRunning() throws IOException {
        say(writer -> {
            if (!saidRunning) {
                saidRunning = true;
                writer.chunk(ChunkType.RUNNING, 0, 0);
            }
        });
    }

    /** Ends the data connections. */
    void closeData() {
        for (Wire wire : data) {
            if (wire != null) {
                wire.close();
            }
        }
    }

    void close() {
        main.close();
        closeData();
    }
}
