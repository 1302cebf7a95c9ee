package org.exomem.migration.stream.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.Wire;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Chunks byte by byte, computed here from the specification and not by the code under test. */
class ChunkTest {
    private static final int PAGE = 4096;

    private final Bytes wire = new Bytes();

    /** A connection that returns the bytes that were written to it. */
    private static final class Bytes implements Wire {
        final ByteArrayOutputStream written = new ByteArrayOutputStream();
        private int read;

        @Override
        public void write(ByteBuffer[] sources) {
            for (ByteBuffer source : sources) {
                byte[] bytes = new byte[source.remaining()];
                source.get(bytes);
                written.writeBytes(bytes);
            }
        }

        @Override
        public int read(ByteBuffer into) {
            byte[] all = written.toByteArray();
            int length = Math.min(into.remaining(), all.length - read);
            into.put(all, read, length);
            read += length;
            return length == 0 ? -1 : length;
        }

        @Override
        public void finishWriting() {}

        @Override
        public String peer() {
            return "itself";
        }

        @Override
        public void close() {}
    }

    private ChunkWriter writer(long sequence) {
        return new ChunkWriter(wire, sequence, new BandwidthLimit(BandwidthLimit.NONE), null, true);
    }

    private static MemorySegment pages(int count) {
        byte[] content = new byte[count * PAGE];
        new Random(1).nextBytes(content);
        return Arena.ofAuto().allocate(content.length).copyFrom(MemorySegment.ofArray(content));
    }

    private static int crc32c(byte[] bytes, int from, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, from, length);
        return (int) crc.getValue();
    }

    @Test
    @Tag("STR-CHUNK-1")
    void aChunkHasItsHeaderAndBothChecksums() throws Exception {
        ChunkWriter writer = writer(41);
        writer.chunk(ChunkType.ZEROS, 7, 3);
        writer.pages(16, pages(2), PAGE);
        writer.flush();
        byte[] bytes = wire.written.toByteArray();
        assertThat(bytes).hasSize(40 + 40 + 2 * PAGE);
        ByteBuffer zeros = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        assertThat(List.of(zeros.get(0), zeros.get(1))).containsExactly((byte) 4, (byte) 0);
        assertThat(zeros.getInt(4)).isZero();
        assertThat(List.of(zeros.getLong(8), zeros.getLong(16), zeros.getLong(24)))
                .containsExactly(41L, 7L, 3L);
        assertThat(zeros.getInt(36)).isEqualTo(crc32c(bytes, 0, 36));
        assertThat(bytes[40]).isEqualTo((byte) 3);
        assertThat(zeros.getInt(44)).isEqualTo(2 * PAGE);
        assertThat(zeros.getLong(48)).isEqualTo(42);
        assertThat(zeros.getInt(72)).isEqualTo(crc32c(bytes, 80, 2 * PAGE));
        assertThat(zeros.getInt(76)).isEqualTo(crc32c(bytes, 40, 36));
    }

    @Test
    @Tag("STR-CHUNK-3")
    void theSequenceOfAnErrorIsNotChecked() throws Exception {
        ChunkWriter lost = writer(1000);
        lost.error("I do not know where I am");
        ChunkReader reader = new ChunkReader(wire, 5, ChunkType.Limits.TEXT);
        assertThat(reader.next()).isTrue();
        assertThat(reader.text()).isEqualTo("I do not know where I am");
    }

    @Test
    @Tag("STR-CHUNK-1")
    void theSequenceOfAnyOtherChunkIsChecked() throws Exception {
        ChunkWriter writer = writer(6);
        writer.chunk(ChunkType.ALIVE, 0, 0);
        writer.flush();
        assertThatThrownBy(() -> new ChunkReader(wire, 5, ChunkType.Limits.TEXT).next())
                .isInstanceOf(StreamFault.class)
                .hasMessageContaining("differs by 1 from");
    }

    @Test
    @Tag("STR-DIG-1")
    void theDigestOfARoundIsOfHeadersAndContents() throws Exception {
        ChunkWriter writer = writer(0);
        MemorySegment content = pages(1);
        writer.pages(9, content, PAGE);
        writer.chunk(ChunkType.FREE, 1, 1);
        writer.chunk(ChunkType.ALIVE, 0, 0);
        writer.flush();
        byte[] bytes = wire.written.toByteArray();
        CRC32 crc = new CRC32();
        crc.update(bytes, 40, PAGE);
        ByteBuffer records = ByteBuffer.allocate(88).order(ByteOrder.LITTLE_ENDIAN);
        records.put(bytes, 0, 40).putInt((int) crc.getValue());
        records.put(bytes, 40 + PAGE, 40).putInt(0);
        assertThat(writer.digest().finish()).isEqualTo(sha256(records.array()));
    }

    @Test
    @Tag("STR-DIG-2")
    @Tag("STR-DIG-3")
    void digestsAreChainedInTheOrderOfTheConnections() throws Exception {
        byte[] one = sha256(new byte[] {1});
        byte[] two = sha256(new byte[] {2});
        byte[] first = RoundDigest.chain(RoundDigest.none(), List.of(one, two));
        assertThat(first).isEqualTo(sha256(new byte[32], one, two));
        assertThat(RoundDigest.chain(first, List.of(two))).isEqualTo(sha256(first, two));
    }

    private static byte[] sha256(byte[]... parts) throws Exception {
        MessageDigest sha = MessageDigest.getInstance("SHA-256");
        for (byte[] part : parts) {
            sha.update(part);
        }
        return sha.digest();
    }

    /** Bytes of which {@code random} can't be compressed. */
    private static ByteBuffer content(int random) {
        byte[] bytes = new byte[1 << 16];
        byte[] some = new byte[random];
        new Random(2).nextBytes(some);
        System.arraycopy(some, 0, bytes, 0, random);
        return ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    }

    @Test
    @Tag("STR-CHUNK-7")
    void contentIsCompressedWhereThatGainsAnEighth() {
        try (Compressor compressor = new Compressor()) {
            assertThat(compressor.compress(content((1 << 16) * 15 / 16))).isNull();
            assertThat(compressor.compress(content((1 << 16) * 13 / 16))).isNotNull();
        }
    }

    @Test
    @Tag("STR-CHUNK-6")
    void compressedContentIsAsLongAsItsHeaderSays() throws IOException {
        try (Compressor compressor = new Compressor();
                Decompressor decompressor = new Decompressor()) {
            ByteBuffer smaller = Objects.requireNonNull(compressor.compress(content(100)));
            assertThatThrownBy(() -> decompressor.decompress(smaller.duplicate(), PAGE))
                    .isInstanceOf(StreamFault.class);
            assertThatThrownBy(() -> decompressor.decompress(smaller.duplicate(), 1 << 17))
                    .isInstanceOf(StreamFault.class)
                    .hasMessageContaining("its header states 131072");
            assertThat(decompressor.decompress(smaller.duplicate(), 1 << 16)).isEqualTo(content(100));
        }
    }
}
