package org.exomem.migration.stream.source;

import java.io.EOFException;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.ScheduledExecutorService;
import org.exomem.migration.PeerFault;
import org.exomem.migration.stream.format.ChunkReader;
import org.exomem.migration.stream.format.ChunkType;
import org.exomem.migration.stream.format.Preamble;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;

/** Makes the connections of one migration to its destination. For one thread. */
final class Connector {
    private static final SecureRandom RANDOM = new SecureRandom();

    private final MigrationAddress to;
    private final StreamSecurity security;
    private final StreamOptions options;
    private final ScheduledExecutorService timer;
    private final UUID migration = UUID.randomUUID();

    Connector(MigrationAddress to, StreamSecurity security, StreamOptions options, ScheduledExecutorService timer) {
        this.to = to;
        this.security = security;
        this.options = options;
        this.timer = timer;
    }

    /**
     * Makes the main connection.
     *
     * @param patience the limit for the destination's answer
     * @throws IOException if the destination can't be reached, or refuses
     */
    Greeting main(Duration patience) throws IOException {
        return greet(Preamble.Role.MAIN, 0, patience);
    }

    /**
     * Makes a data connection, which ends with the link.
     *
     * @param patience the limit for the destination's answer
     * @throws IOException if the destination can't be reached, or refuses
     */
    Greeting data(SourceLink link, int number, Duration patience) throws IOException {
        Greeting data = greet(Preamble.Role.DATA, number, patience);
        link.add(data);
        ChunkReader reader = new ChunkReader(data.wire(), data.mine().sequence(), ChunkType.Limits.TEXT);
        try {
            if (!reader.next()) {
                throw new EOFException("the destination ended data connection " + number);
            }
        } catch (IOException e) {
            throw link.because(e);
        }
        if (reader.type() != ChunkType.ACCEPTED) {
            throw new PeerFault("the destination refused data connection " + number + ": " + reader.text());
        }
        return data;
    }

    private Greeting greet(Preamble.Role role, int channel, Duration patience) throws IOException {
        Preamble mine = new Preamble(
                Preamble.VERSION,
                Preamble.VERSION,
                role,
                channel,
                StreamFeature.bits(options.offered()),
                StreamFeature.bits(options.required()),
                migration,
                RANDOM.nextLong(),
                options.channels());
        return Greeting.of(to, security, options.withPatience(patience), mine, timer);
    }
}
