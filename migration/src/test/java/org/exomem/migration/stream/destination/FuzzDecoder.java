package org.exomem.migration.stream.destination;

import com.github.luben.zstd.Zstd;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.ScheduledExecutorService;
import java.util.zip.CRC32C;
import org.exomem.migration.stream.RawSource;
import org.exomem.migration.stream.format.ChunkReader;
import org.exomem.migration.stream.format.ChunkWriter;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.Preamble;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.LivenessWatch;
import org.exomem.migration.stream.wire.Timers;
import org.exomem.migration.stream.wire.Wire;

/**
 * Passes streams to the destination's decoders that are almost valid: chunks in a wrong order, with changed numbers,
 * truncated, joined, most of them with correct checksums. The result must be an {@link IOException} or a well-formed
 * stream, and no page outside of memory may be touched. A stream depends only on the seed and its number.
 *
 * <p>Usage: {@code FuzzDecoder [STREAMS [SEED]]}; exit code 1 for any other result.
 */
final class FuzzDecoder implements AutoCloseable {
    private static final int PAGE = 64;
    private static final long PAGES = 1000;
    private static final UUID MIGRATION = new UUID(1, 2);

    private final long seed;
    private final MemoryDescription memory =
            new MemoryDescription(PAGE, List.of(new MemoryDescription.MemoryFile("ram", PAGE * PAGES, 4096)));
    private final ScheduledExecutorService timer = Timers.start();
    private long chunks;
    private long refused;

    FuzzDecoder(long seed) {
        this.seed = seed;
    }

    public static void main(String[] arguments) {
        long streams = arguments.length > 0 ? Long.parseLong(arguments[0]) : 1_000_000;
        long seed = arguments.length > 1 ? Long.parseLong(arguments[1]) : System.nanoTime();
        System.out.println("seed " + seed);
        FuzzDecoder fuzz = new FuzzDecoder(seed);
        for (long i = 0; i < streams; i++) {
            try {
                fuzz.stream(i);
            } catch (RuntimeException | AssertionError e) {
                System.out.println("stream " + i + " of seed " + seed + ": " + e);
                System.exit(1);
            }
        }
        System.out.println(streams + " streams, " + fuzz.chunks + " chunks, " + fuzz.refused + " streams refused");
    }

    @Override
    public void close() {
        timer.shutdownNow();
    }

    long chunks() {
        return chunks;
    }

    long refused() {
        return refused;
    }

    /** Decodes the stream with this number. */
    void stream(long number) {
        SplittableRandom random = new SplittableRandom(seed ^ number * 0x9e3779b97f4a7c15L);
        try {
            switch (random.nextInt(8)) {
                case 0 -> Preamble.receive(new Bytes(preamble(random)), "source");
                case 1 -> {
                    byte[] bytes = memory.encode().array().clone();
                    MemoryDescription.decode(
                            ByteBuffer.wrap(changed(bytes, random)).order(ByteOrder.LITTLE_ENDIAN));
                }
                case 2 -> main(random);
                default -> data(random);
            }
        } catch (IOException e) {
            refused++;
            if (e.getMessage() == null || e.getMessage().isBlank()) {
                throw new AssertionError("a refusal without a reason", e);
            }
        }
    }

    private static byte[] preamble(SplittableRandom random) {
        byte[] bytes = new Preamble(1, 1, Preamble.Role.DATA, 0, 3, 0, MIGRATION, 5, 2)
                .encode()
                .array();
        bytes = changed(bytes, random);
        if (bytes.length >= 64 && random.nextInt(4) != 0) {
            CRC32C crc = new CRC32C();
            crc.update(bytes, 0, 60);
            ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(60, (int) crc.getValue());
        }
        return bytes;
    }

    private void data(SplittableRandom random) throws IOException {
        boolean zstd = random.nextBoolean();
        Set<StreamFeature> features = zstd ? EnumSet.of(StreamFeature.ZSTD) : Set.of();
        ReceivingLink link = link(features);
        ReceivingSession session = session(link);
        ChunkReader reader = new ChunkReader(new Bytes(chunks(random, true)), 0, 1 << 12);
        new DataReceiver(session, link, 0, reader).run();
    }

    private void main(SplittableRandom random) throws IOException {
        ReceivingLink link = link(Set.of());
        ReceivingSession session = session(link);
        ChunkReader reader = new ChunkReader(new Bytes(chunks(random, false)), 0, 1 << 12);
        LivenessWatch watch = new LivenessWatch(timer, Duration.ofHours(1), () -> {}, () -> {});
        new MainReceiver(session, link, reader, watch).run();
    }

    private static ReceivingLink link(Set<StreamFeature> features) {
        Wire nowhere = new Bytes(new byte[0]);
        return new ReceivingLink(
                nowhere,
                new ChunkWriter(nowhere, 0, new BandwidthLimit(BandwidthLimit.NONE), null, false),
                features,
                1);
    }

    private ReceivingSession session(ReceivingLink link) {
        return new ReceivingSession(
                MIGRATION,
                "fuzz",
                memory,
                new Nobody(),
                new Inside(),
                StreamOptions.defaults().withPatience(Duration.ofMillis(1)),
                timer,
                link);
    }

    /** Chunks that are valid in themselves, or almost. */
    private byte[] chunks(SplittableRandom random, boolean data) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        long sequence = 0;
        int count = 1 + random.nextInt(12);
        for (int i = 0; i < count; i++) {
            byte[] chunk = chunk(random, sequence++, data);
            chunks++;
            if (random.nextInt(12) == 0) {
                chunk = changed(chunk, random);
            }
            all.writeBytes(chunk);
        }
        return all.toByteArray();
    }

    private static byte[] chunk(SplittableRandom random, long sequence, boolean data) {
        int type = random.nextInt(6) == 0 ? random.nextInt(20) : data ? 3 + random.nextInt(3) : 8 + random.nextInt(3);
        long first = data ? random.nextLong(PAGES) : 0;
        long count = 1 + random.nextLong(4);
        byte[] payload = new byte[0];
        int flags = 0;
        if (type == 3) {
            payload = new byte[(int) count * PAGE];
            random.nextBytes(payload);
            if (random.nextInt(3) == 0) {
                flags = 1;
                Arrays.fill(payload, (byte) count);
                payload = Zstd.compress(payload);
                if (random.nextInt(3) == 0) {
                    payload = changed(payload, random);
                }
            }
        } else if (type == 6 || type == 11) {
            payload = new byte[32];
        } else if (type == 8 || type == 9 || type == 16) {
            payload = new byte[1 + random.nextInt(40)];
            random.nextBytes(payload);
            count = random.nextInt(3);
        }
        if (random.nextInt(8) == 0) {
            first = random.nextLong() >> random.nextInt(64);
        }
        if (random.nextInt(8) == 0) {
            count = random.nextLong() >> random.nextInt(64);
        }
        if (random.nextInt(30) == 0) {
            sequence += random.nextInt(3) - 1;
        }
        int length = random.nextInt(20) == 0 ? random.nextInt() >> random.nextInt(32) : payload.length;
        return RawSource.chunk(type, flags, length, sequence, first, count, payload);
    }

    private static byte[] changed(byte[] bytes, SplittableRandom random) {
        if (bytes.length == 0) {
            return bytes;
        }
        int at = random.nextInt(bytes.length);
        switch (random.nextInt(5)) {
            case 0 -> {
                return Arrays.copyOf(bytes, at);
            }
            case 1 -> {
                return Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(90));
            }
            case 2 -> Arrays.fill(bytes, at, Math.min(at + 8, bytes.length), (byte) random.nextInt(-1, 1));
            default -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        }
        return bytes;
    }

    /** A connection whose input arrives in pieces. Output is discarded. */
    private static final class Bytes implements Wire {
        private final ByteBuffer bytes;

        Bytes(byte[] bytes) {
            this.bytes = ByteBuffer.wrap(bytes);
        }

        @Override
        public void write(ByteBuffer[] sources) {
            for (ByteBuffer source : sources) {
                source.position(source.limit());
            }
        }

        @Override
        public int read(ByteBuffer into) {
            if (!bytes.hasRemaining()) {
                return -1;
            }
            int length = Math.min(into.remaining(), Math.min(bytes.remaining(), 1 + bytes.remaining() / 2));
            into.put(into.position(), bytes, bytes.position(), length);
            into.position(into.position() + length);
            bytes.position(bytes.position() + length);
            return length;
        }

        @Override
        public void finishWriting() {}

        @Override
        public String peer() {
            return "fuzz";
        }

        @Override
        public void close() {}
    }

    /** Memory that refuses pages beyond its end. */
    private static final class Inside implements PageTarget {
        @Override
        public void pages(long first, MemorySegment content) {
            zeros(first, content.byteSize() / PAGE);
            if (content.byteSize() % PAGE != 0) {
                throw new AssertionError("half a page");
            }
        }

        @Override
        public void zeros(long first, long count) {
            if (first < 0 || count < 1 || Math.addExact(first, count) > PAGES) {
                throw new AssertionError(count + " pages from " + first + " are outside of memory");
            }
        }

        @Override
        public void free(long first, long count) {
            zeros(first, count);
        }

        @Override
        public void close() {}
    }

    /** Accepts every state, one at a time. */
    private static final class Nobody implements Destination {
        private final List<String> names = new ArrayList<>();

        @Override
        public PageTarget open(MemoryDescription memory, String source) {
            return new Inside();
        }

        @Override
        public OutputStream deviceState(String name) {
            names.add(name);
            return OutputStream.nullOutputStream();
        }

        @Override
        public void ready(ReceivedMigration received) {
            throw new AssertionError("no stream of this fuzzer has a right digest");
        }

        @Override
        public void start() {
            throw new AssertionError("a guest was started that never was ready");
        }

        @Override
        public void failed(IOException why) {}
    }
}
