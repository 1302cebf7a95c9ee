package org.exomem.backend.pager;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Optional;
import org.exomem.images.Sha256;
import org.exomem.linux.SmallFile;
import org.exomem.pages.PageBits;
import org.exomem.pages.Pages;

/**
 * The pages of an image that its guest needs first, in a file in the image's folder (PGR-SET-1 to 3). Little-endian:
 *
 * <pre>
 *  0 magic    8 bytes  EXOMEMWS
 *  8 version  u32      1
 * 12 block    u32      bytes of a block, 65536
 * 16 pages    u64      pages of 4096 bytes that the image has
 * 24 image    32 bytes SHA-256 of the image's manifest
 * 56 blocks   u64 each a bit for each block, from the lowest on; what is behind the last block is 0
 *    digest   32 bytes SHA-256 of all before
 * </pre>
 *
 * @param path of the file
 */
record WorkingSetFile(Path path) {
    /** The name in the image's folder. */
    static final String NAME = "working-set";

    private static final byte[] MAGIC = "EXOMEMWS".getBytes(StandardCharsets.US_ASCII);
    private static final int VERSION = 1;
    /** Bytes of a block: as much as the background brings first around a touch. A finer set would change little. */
    private static final int BLOCK = 1 << 16;

    private static final int BLOCK_PAGES = BLOCK >> Pages.SHIFT;
    private static final int VERSION_AT = 8;
    private static final int BLOCK_AT = 12;
    private static final int PAGES_AT = 16;
    private static final int IMAGE_AT = 24;
    private static final int BLOCKS_AT = 56;
    private static final int DIGEST = 32;
    /** An image with more pages than this, 16 TiB, has no working set. */
    private static final long MOST_PAGES = 1L << 32;

    static WorkingSetFile of(Path image) {
        return new WorkingSetFile(image.resolve(NAME));
    }

    /**
     * Reads the pages of the set: whole blocks, except a shorter last block.
     *
     * @param image the digest of the image's manifest
     * @param pages the number of pages of the image
     * @return empty if there is no file, or it belongs to another image
     * @throws IOException if the file can't be used; the message says what is wrong
     */
    Optional<PageBits> read(Sha256 image, long pages) throws IOException {
        if (pages > MOST_PAGES || !Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return Optional.empty();
        }
        byte[] bytes;
        try {
            bytes = SmallFile.read(path, size(pages)).content();
        } catch (IOException e) {
            throw new IOException("the working set " + path + " can't be read: " + e.getMessage(), e);
        }
        return parse(bytes, image, pages);
    }

    private Optional<PageBits> parse(byte[] bytes, Sha256 image, long pages) throws IOException {
        if (bytes.length < BLOCKS_AT + DIGEST || !Arrays.equals(bytes, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
            throw unusable("it is not a working set");
        }
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        if (buffer.getInt(VERSION_AT) != VERSION) {
            throw unusable("it has version " + Integer.toUnsignedString(buffer.getInt(VERSION_AT))
                    + ", and this exomem supports version " + VERSION);
        }
        int end = bytes.length - DIGEST;
        if (!MessageDigest.isEqual(digest(bytes, end), Arrays.copyOfRange(bytes, end, bytes.length))) {
            throw unusable("it is damaged: its digest does not match");
        }
        if (!Arrays.equals(bytes, IMAGE_AT, BLOCKS_AT, image.bytes(), 0, DIGEST)) {
            return Optional.empty();
        }
        if (buffer.getInt(BLOCK_AT) != BLOCK || buffer.getLong(PAGES_AT) != pages || bytes.length != size(pages)) {
            throw unusable("its sizes do not match the image");
        }
        PageBits set = new PageBits(pages);
        long blocks = blocks(pages);
        for (int at = BLOCKS_AT; at < end; at += Long.BYTES) {
            long first = (long) (at - BLOCKS_AT) * Byte.SIZE;
            for (long word = buffer.getLong(at); word != 0; word &= word - 1) {
                long block = first + Long.numberOfTrailingZeros(word);
                if (block >= blocks) {
                    throw unusable("it names blocks after the last one");
                }
                set.add(block * BLOCK_PAGES, Math.min(BLOCK_PAGES, pages - block * BLOCK_PAGES));
            }
        }
        return Optional.of(set);
    }

    private IOException unusable(String why) {
        return new IOException("the working set " + path + " is not used: " + why);
    }

    /**
     * Replaces the file. It is there completely, or not at all.
     *
     * @param image the digest of the image's manifest
     * @param set the pages whose blocks are kept
     * @throws IOException if the file system refuses
     */
    void write(Sha256 image, PageBits set) throws IOException {
        if (set.pages() > MOST_PAGES) {
            return;
        }
        byte[] bytes = bytes(image, set);
        try {
            SmallFile.replace(path, bytes);
        } catch (IOException e) {
            throw new IOException("the working set can't be stored in " + path + ": " + e, e);
        }
    }

    private static byte[] bytes(Sha256 image, PageBits set) {
        byte[] bytes = new byte[size(set.pages())];
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        buffer.put(0, MAGIC);
        buffer.putInt(VERSION_AT, VERSION);
        buffer.putInt(BLOCK_AT, BLOCK);
        buffer.putLong(PAGES_AT, set.pages());
        buffer.put(IMAGE_AT, image.bytes());
        for (long page = set.next(0); page < set.pages(); ) {
            long block = page / BLOCK_PAGES;
            int at = BLOCKS_AT + (int) (block / Long.SIZE) * Long.BYTES;
            buffer.putLong(at, buffer.getLong(at) | 1L << block);
            long behind = (block + 1) * BLOCK_PAGES;
            page = behind < set.pages() ? set.next(behind) : set.pages();
        }
        int end = bytes.length - DIGEST;
        buffer.put(end, digest(bytes, end));
        return bytes;
    }

    private static long blocks(long pages) {
        return (pages + BLOCK_PAGES - 1) / BLOCK_PAGES;
    }

    /** The size of the file in bytes, for an image with this number of pages. */
    private static int size(long pages) {
        return BLOCKS_AT + (int) ((blocks(pages) + Long.SIZE - 1) / Long.SIZE) * Long.BYTES + DIGEST;
    }

    private static byte[] digest(byte[] bytes, int end) {
        MessageDigest digest = Sha256.algorithm();
        digest.update(bytes, 0, end);
        return digest.digest();
    }
}
