package org.exomem.fuzz;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.destination.Destination;
import org.exomem.migration.stream.destination.FuzzedReception;
import org.exomem.migration.stream.destination.PageTarget;
import org.exomem.migration.stream.destination.ReceivedMigration;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.Preamble;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.wire.Wire;

/**
 * The decoder of the migration stream. The first byte of an input chooses: a preamble, a description of memory, raw
 * bytes for a connection, or a script of chunks, first for a data connection and then for the main one. The numbers and
 * checksums of chunks are right unless the script says otherwise.
 *
 * <p>Properties: a wrong stream causes an {@link IOException} with a reason. Memory has the content of the chunks up to
 * the first wrong one, by a model of {@code spec/migration-stream.md}, and nothing outside of it is touched. The guest
 * is prepared only if the digest of everything is right, and started only after that.
 */
public final class StreamFuzz {
    private static final int PAGE = 64;
    private static final int PAGES = 100;
    private static final int HEADER = 40;
    private static final MemoryDescription MEMORY =
            new MemoryDescription(PAGE, List.of(new MemoryDescription.MemoryFile("ram", PAGE * PAGES, 4096)));

    private final Input input;
    private final boolean zstd;
    /** The expected content of memory, by the model. */
    private final byte[] expected = new byte[PAGE * PAGES];

    private final List<String> names = new ArrayList<>();
    private final ByteArrayOutputStream connection = new ByteArrayOutputStream();
    /** The digest of a connection's round, over its chunks' records. */
    private final MessageDigest digest = sha256();

    private boolean digestIsEmpty = true;
    private byte[] roundsDigest = new byte[32];
    private long sequence;
    private long rounds;
    /** False from the first wrong chunk on. */
    private boolean right = true;

    private boolean dataEnded;
    private boolean complete;
    private boolean letGo;
    private int states;
    private long stateOffset = -1;

    private StreamFuzz(Input input, boolean zstd) {
        this.input = input;
        this.zstd = zstd;
    }

    public static void fuzzerTestOneInput(byte[] bytes) {
        Input input = new Input(bytes);
        int how = input.u8();
        try {
            switch (how & 7) {
                case 0 -> preamble(input, (how & 8) != 0);
                case 1 -> description(input.rest());
                case 2 -> reception(new Pages(), Set.of()).data(new Bytes(input.rest()));
                case 3 -> reception(new Pages(), Set.of()).main(new Bytes(input.rest()));
                default -> new StreamFuzz(input, (how & 8) != 0).run();
            }
        } catch (IOException e) {
            requireReason(e);
        }
    }

    private static void requireReason(IOException e) {
        BrokenRule.unless(e.getMessage() != null && !e.getMessage().isBlank(), "a refusal gives no reason");
    }

    private static void preamble(Input input, boolean rightChecksum) throws IOException {
        byte[] bytes = Arrays.copyOf(input.take(64), 64);
        if (rightChecksum) {
            ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(60, crc32c(bytes, 60));
        }
        Preamble preamble = Preamble.receive(new Bytes(bytes), "source");
        byte[] again = new byte[64];
        preamble.encode().get(0, again);
        BrokenRule.unless(Arrays.equals(bytes, again), "a preamble that was taken says something else");
        StreamFeature.agree(preamble, preamble, "source");
    }

    private static void description(byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        MemoryDescription described;
        try {
            described = MemoryDescription.decode(buffer);
        } catch (StreamFault e) {
            requireReason(e);
            return;
        }
        BrokenRule.unless(described.pages() > 0, "memory without pages was taken");
        BrokenRule.unlessEqual(buffer.remaining(), 0, "the bytes that were not read");
        BrokenRule.unless(
                MemoryDescription.decode(described.encode()).equals(described),
                "a description that was taken is another when it is sent on");
    }

    private void run() {
        Pages pages = new Pages();
        Guest guest = new Guest();
        FuzzedReception reception = new FuzzedReception(
                MEMORY, zstd ? EnumSet.of(StreamFeature.ZSTD) : Set.of(), new Bytes(new byte[0]), guest, pages);
        int chunks = input.below(24);
        for (int i = 0; i < chunks; i++) {
            chunk(true);
        }
        boolean ended = decode(() -> reception.data(new Bytes(connection.toByteArray())));
        BrokenRule.unless(ended == dataEnded, "a data connection's end was mistaken");
        BrokenRule.unless(Arrays.equals(pages.bytes, expected), "memory does not hold what was sent");
        BrokenRule.unlessEqual(reception.rounds(), rounds, "the rounds");
        if (!ended) {
            return;
        }
        connection.reset();
        sequence = 0;
        right = true;
        digest.reset();
        while (!input.isAtEnd()) {
            chunk(false);
        }
        decode(() -> reception.main(new Bytes(connection.toByteArray())));
        BrokenRule.unless(guest.ready == complete, "a guest was made ready, or not, against what came");
        BrokenRule.unless(guest.started == letGo, "a guest was started, or not, against what came");
        BrokenRule.unless(guest.names.equals(names), "other device states came than were sent");
    }

    private interface Decoding {
        void run() throws IOException;
    }

    /** True if the connection came to its own end. */
    private static boolean decode(Decoding decoding) {
        try {
            decoding.run();
            return true;
        } catch (IOException e) {
            requireReason(e);
            return false;
        }
    }

    // The source, and the meaning of its chunks.

    private void chunk(boolean data) {
        int what = input.u8();
        int how = input.u8();
        int type = (what & 0xe0) == 0xe0 ? what & 0x1f : data ? DATA[what % DATA.length] : MAIN[what % MAIN.length];
        long first = (how & 1) != 0 ? input.i64() : defaultFirst(type);
        long count = (how & 2) != 0 ? input.i64() : defaultCount(type);
        byte[] payload = payload(type, count, how);
        int flags = (how & 4) != 0 ? input.u8() : type == 3 && (how & 0x80) != 0 ? 1 : 0;
        long number = sequence + ((how & 8) != 0 ? (byte) input.u8() : 0);
        int length = (how & 16) != 0 ? input.i32() : payload.length;
        byte[] header = header(type, flags, length, number, first, count, payload);
        boolean isRight = number == sequence || type == 16;
        isRight &= length == payload.length;
        if ((how & 32) != 0) {
            int at = input.u8() % header.length;
            int bits = input.u8();
            header[at] ^= (byte) bits;
            isRight &= bits == 0;
        }
        if (right) {
            right = isRight
                    && (data
                            ? takeData(header, type, flags, first, count, payload)
                            : takeMain(header, type, flags, first, count, payload));
        }
        sequence++;
        connection.writeBytes(header);
        connection.writeBytes(payload);
    }

    private static final int[] DATA = {3, 4, 5, 3, 6, 6, 11};
    private static final int[] MAIN = {8, 9, 9, 10, 11, 13, 15, 18};

    private long defaultFirst(int type) {
        return switch (type) {
            case 3, 4, 5 -> input.u8();
            case 6 -> rounds + 1;
            case 11 -> rounds;
            case 8, 9, 10 -> states;
            default -> 0;
        };
    }

    private long defaultCount(int type) {
        return switch (type) {
            case 3, 4, 5 -> 1 + (input.u8() & 7);
            case 9, 10 -> Math.max(0, stateOffset);
            default -> 0;
        };
    }

    private byte[] payload(int type, long count, int how) {
        return switch (type) {
            case 3 -> pages(count, how);
            case 6 -> digestNow(how);
            case 11 -> dataEnded ? digestOfAll(how) : new byte[0];
            case 8 -> name();
            case 9 -> input.take(1 + input.below(32));
            case 16 -> input.take(input.below(32));
            default -> (how & 0x40) != 0 ? input.take(input.below(8)) : new byte[0];
        };
    }

    private byte[] name() {
        byte[] name = input.take(1 + input.below(8));
        return name.length == 0 ? new byte[] {'d'} : name;
    }

    private byte[] pages(long count, int how) {
        int size = (int) Math.min(Math.max(count, 1), 32) * PAGE;
        byte[] content = new byte[size];
        Arrays.fill(content, (byte) input.u8());
        content[0] = (byte) input.u8();
        if ((how & 0x80) != 0) {
            byte[] packed = Zstd.compress(content);
            if ((how & 0x40) != 0) {
                packed[input.u8() % packed.length] ^= (byte) input.u8();
            }
            return packed;
        }
        return (how & 0x40) != 0 ? Arrays.copyOf(content, input.u16() % 2048) : content;
    }

    private byte[] digestNow(int how) {
        byte[] now = clone(digest).digest();
        if ((how & 0x40) != 0) {
            now[input.u8() % 32] ^= (byte) input.u8();
        }
        return now;
    }

    private byte[] digestOfAll(int how) {
        byte[] all = chained(roundsDigest, clone(digest).digest());
        if ((how & 0x40) != 0) {
            all[input.u8() % 32] ^= (byte) input.u8();
        }
        return all;
    }

    private static byte[] chained(byte[] before, byte[] channel) {
        MessageDigest sha = sha256();
        sha.update(before);
        sha.update(channel);
        return sha.digest();
    }

    private static byte[] header(int type, int flags, int length, long number, long first, long count, byte[] payload) {
        byte[] header = new byte[HEADER];
        ByteBuffer bytes = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
        bytes.put((byte) type)
                .put((byte) flags)
                .putShort((short) 0)
                .putInt(length)
                .putLong(number)
                .putLong(first)
                .putLong(count)
                .putInt(crc32c(payload, payload.length));
        bytes.putInt(crc32c(header, 36));
        return header;
    }

    /** Adds a record to the digest: the header, and the CRC-32 of the content. */
    private void count(byte[] header, byte[] content) {
        digest.update(header);
        int crc = 0;
        if (content.length > 0) {
            CRC32 sum = new CRC32();
            sum.update(content);
            crc = (int) sum.getValue();
        }
        digest.update(ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(crc)
                .flip());
        digestIsEmpty = false;
    }

    /** Returns true if the connection continues. */
    private boolean takeData(byte[] header, int type, int flags, long first, long count, byte[] payload) {
        if (dataEnded || payload.length > FuzzedReception.MOST || (flags & ~(type == 3 ? 1 : 0)) != 0) {
            return false;
        }
        return switch (type) {
            case 3 -> {
                boolean inside = first >= 0 && count >= 1 && count <= PAGES && first <= PAGES - count;
                if (!inside || payload.length == 0) {
                    yield false;
                }
                byte[] content = payload;
                if ((flags & 1) != 0) {
                    content = unpacked(payload, (int) count * PAGE);
                }
                if (content.length != count * PAGE) {
                    yield false;
                }
                count(header, content);
                System.arraycopy(content, 0, expected, (int) first * PAGE, content.length);
                yield true;
            }
            case 4, 5 -> {
                boolean inside = first >= 0 && count >= 1 && count <= PAGES && first <= PAGES - count;
                if (!inside || payload.length > 0) {
                    yield false;
                }
                count(header, payload);
                Arrays.fill(expected, (int) first * PAGE, (int) (first + count) * PAGE, (byte) 0);
                yield true;
            }
            case 6 -> {
                byte[] mine = clone(digest).digest();
                if (first != rounds + 1 || !Arrays.equals(mine, payload)) {
                    yield false;
                }
                rounds++;
                digest.reset();
                digestIsEmpty = true;
                roundsDigest = chained(roundsDigest, mine);
                yield true;
            }
            case 11 -> {
                dataEnded = digestIsEmpty && payload.length == 0 && first == rounds;
                yield false;
            }
            default -> {
                yield false;
            }
        };
    }

    private byte[] unpacked(byte[] payload, int size) {
        if (!zstd || payload.length >= size) {
            return new byte[0];
        }
        try {
            return Zstd.decompress(payload, size);
        } catch (ZstdException e) {
            return new byte[0];
        }
    }

    private boolean takeMain(byte[] header, int type, int flags, long first, long count, byte[] payload) {
        if (flags != 0) {
            return false;
        }
        return switch (type) {
            case 15 -> {
                yield payload.length == 0;
            }
            case 8 -> {
                if (stateOffset >= 0 || first != states || complete) {
                    yield false;
                }
                count(header, payload);
                stateOffset = 0;
                names.add("");
                yield true;
            }
            case 9 -> {
                if (stateOffset < 0 || first != states || count != stateOffset || payload.length == 0) {
                    yield false;
                }
                count(header, payload);
                stateOffset += payload.length;
                yield true;
            }
            case 10 -> {
                if (stateOffset < 0 || first != states || count != stateOffset || payload.length > 0) {
                    yield false;
                }
                count(header, payload);
                states++;
                stateOffset = -1;
                yield true;
            }
            case 11 -> {
                byte[] all = chained(roundsDigest, clone(digest).digest());
                if (complete || stateOffset >= 0 || first != rounds || !Arrays.equals(all, payload)) {
                    yield false;
                }
                digest.reset();
                complete = true;
                yield true;
            }
            case 13 -> {
                if (!complete || payload.length > 0) {
                    yield false;
                }
                letGo = true;
                yield true;
            }
            default -> {
                yield false;
            }
        };
    }

    private static MessageDigest clone(MessageDigest of) {
        try {
            return (MessageDigest) of.clone();
        } catch (CloneNotSupportedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    private static int crc32c(byte[] bytes, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, length);
        return (int) crc.getValue();
    }

    private static FuzzedReception reception(Pages pages, Set<StreamFeature> features) {
        return new FuzzedReception(MEMORY, features, new Bytes(new byte[0]), new Guest(), pages);
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
            int length = Math.min(into.remaining(), 1 + bytes.remaining() / 2);
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

    /** The destination's memory. */
    private static final class Pages implements PageTarget {
        private final byte[] bytes = new byte[PAGE * PAGES];

        @Override
        public void pages(long first, MemorySegment content) {
            BrokenRule.unless(content.byteSize() % PAGE == 0, "half a page came");
            requireInside(first, content.byteSize() / PAGE);
            MemorySegment.copy(content, ValueLayout.JAVA_BYTE, 0, bytes, (int) first * PAGE, (int) content.byteSize());
        }

        @Override
        public void zeros(long first, long count) {
            requireInside(first, count);
            Arrays.fill(bytes, (int) first * PAGE, (int) (first + count) * PAGE, (byte) 0);
        }

        @Override
        public void free(long first, long count) {
            zeros(first, count);
        }

        private static void requireInside(long first, long count) {
            BrokenRule.unless(
                    first >= 0 && count >= 1 && count <= PAGES && first <= PAGES - count, "a page is not in memory");
        }

        @Override
        public void close() {}
    }

    /** What happens to the guest. */
    private static final class Guest implements Destination {
        private final List<String> names = new ArrayList<>();
        private boolean ready;
        private boolean started;

        @Override
        public PageTarget open(MemoryDescription memory, String source) {
            throw new BrokenRule("memory was described twice");
        }

        @Override
        public OutputStream deviceState(String name) {
            for (int i = 0; i < name.length(); i++) {
                BrokenRule.unless(!Character.isISOControl(name.charAt(i)), "a name can confuse a terminal");
            }
            names.add("");
            return OutputStream.nullOutputStream();
        }

        @Override
        public void ready(ReceivedMigration received) {
            BrokenRule.unless(!ready, "a guest was made ready twice");
            ready = true;
        }

        @Override
        public void start() {
            BrokenRule.unless(ready && !started, "a guest was started that was not ready, or twice");
            started = true;
        }

        @Override
        public void failed(IOException why) {}
    }
}
