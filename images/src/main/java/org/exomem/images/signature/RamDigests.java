package org.exomem.images.signature;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.exomem.images.Sha256;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.ram.RamFileName;
import org.exomem.linux.Errno;
import org.exomem.linux.FileStatus;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.linux.SmallFile;

/**
 * The digests of a RAM file's ranges of 2 MiB, and one digest of all of them. So a part can be checked alone, and a changed
 * part can be named. A range of zeros, whether a hole or not, has no digest of its own, so that holes need not be read.
 * Immutable.
 *
 * <pre>
 *  0 magic "exomemDG"    8 version 1 (4 bytes)   12 size of a range (4)   16 size of the RAM file (8)
 * 24 for each range the SHA-256 of its bytes, or 32 zero bytes if they are all zeros
 * </pre>
 *
 * <p>Numbers are little-endian. The digest of all ranges is the SHA-256 of that file.
 */
public final class RamDigests {
    /** Bytes of a range; the last range of a file may be shorter. */
    public static final int RANGE = 2 << 20;

    private static final byte[] MAGIC = {'e', 'x', 'o', 'm', 'e', 'm', 'D', 'G'};
    private static final int VERSION = 1;
    private static final int VERSION_AT = 8;
    private static final int RANGE_AT = 12;
    private static final int SIZE_AT = 16;
    private static final int HEADER = 24;
    private static final int DIGEST = 32;
    private static final int MOST_THREADS = 8;

    private final RamFileName name;
    private final byte[] bytes;

    private RamDigests(RamFileName name, byte[] bytes) {
        this.name = name;
        this.bytes = bytes;
    }

    /** The name of the file with a RAM file's digests, in the same folder. */
    static String file(RamFileName name) {
        return ImageFolder.DIGESTS_PREFIX + name.file().substring(RamFileName.PREFIX.length());
    }

    private static int ranges(long size) {
        return Math.toIntExact((size + RANGE - 1) / RANGE);
    }

    /**
     * Computes the digests of a RAM file, on several threads. Reads everything but holes. No process may write to it
     * meanwhile.
     *
     * @throws ImageException {@link Fault#SIZE} if it has another size than in its name; {@link Fault#CHANGED} if it was
     *     written or truncated meanwhile
     */
    public static RamDigests of(RamFileName name, SharedFile file) throws IOException {
        if (file.size() != name.size()) {
            throw new ImageException(
                    Fault.SIZE, file + " has " + file.size() + " bytes, but its name states " + name.size());
        }
        FileStatus before = file.status();
        byte[] bytes = header(name.size());
        forEachRange(ranges(name.size()), (range, buffer) -> {
            byte[] digest = digest(file, name.size(), range, buffer);
            System.arraycopy(digest, 0, bytes, HEADER + range * DIGEST, DIGEST);
        });
        // The end of a truncated file looks like a hole.
        if (!before.isUnchanged(file.status())) {
            throw new ImageException(Fault.CHANGED, file + " changed while its digests were computed");
        }
        return new RamDigests(name, bytes);
    }

    private static byte[] header(long size) {
        byte[] bytes = new byte[HEADER + ranges(size) * DIGEST];
        ByteBuffer.wrap(bytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(MAGIC)
                .putInt(VERSION_AT, VERSION)
                .putInt(RANGE_AT, RANGE)
                .putLong(SIZE_AT, size);
        return bytes;
    }

    private interface RangeTask {
        void of(int range, MemorySegment buffer) throws IOException;
    }

    private static void forEachRange(int ranges, RangeTask task) throws IOException {
        AtomicInteger next = new AtomicInteger();
        int threads =
                Math.min(ranges, Math.min(MOST_THREADS, Runtime.getRuntime().availableProcessors()));
        try (ExecutorService executor = Executors.newFixedThreadPool(threads)) {
            for (Future<?> one : IntStream.range(0, threads)
                    .mapToObj(i -> executor.submit(() -> {
                        work(ranges, next, task);
                        return null;
                    }))
                    .toList()) {
                one.get();
            }
        } catch (ExecutionException e) {
            throw e.getCause() instanceof IOException failure ? failure : new IOException(e.getCause());
        } catch (InterruptedException e) {
            next.set(ranges);
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while a RAM file is read", e);
        }
    }

    private static void work(int ranges, AtomicInteger next, RangeTask task) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(RANGE, RANGE);
            for (int range = next.getAndIncrement(); range < ranges; range = next.getAndIncrement()) {
                task.of(range, buffer);
            }
        } catch (IOException | RuntimeException e) {
            next.set(ranges);
            throw e;
        }
    }

    /** Zeros for a range of zeros. */
    private static byte[] digest(SharedFile file, long size, int range, MemorySegment buffer) throws IOException {
        long start = (long) range * RANGE;
        long length = Math.min(RANGE, size - start);
        long data = file.nextData(start);
        if (data < 0 || data >= start + length) {
            expectLonger(file, start + length);
            return new byte[DIGEST];
        }
        MemorySegment content = buffer.asSlice(0, length);
        if (file.read(start, content) < length) {
            throw shorter(file);
        }
        if (isZero(content)) {
            return new byte[DIGEST];
        }
        MessageDigest digest = Sha256.algorithm();
        digest.update(content.asByteBuffer());
        return digest.digest();
    }

    /** After its end a file has neither data nor a hole. */
    private static void expectLonger(SharedFile file, long end) throws IOException {
        if (file.size() < end) {
            throw shorter(file);
        }
    }

    private static ImageException shorter(SharedFile file) {
        return new ImageException(Fault.SIZE, file + " became shorter while it was read");
    }

    private static boolean isZero(MemorySegment content) {
        for (long at = 0; at < content.byteSize(); at += Long.BYTES) {
            if (content.get(JAVA_LONG, at) != 0) {
                return false;
            }
        }
        return true;
    }

    /**
     * Reads the digests of a RAM file.
     *
     * @param root the digest of all of them
     * @throws ImageException {@link Fault#MISSING}, {@link Fault#CHANGED}, {@link Fault#NEWER} or {@link Fault#FOREIGN}
     */
    public static RamDigests read(Path folder, RamFileName name, Sha256 root) throws IOException {
        Path file = folder.resolve(file(name));
        int size = HEADER + ranges(name.size()) * DIGEST;
        byte[] found;
        try {
            found = SmallFile.read(file, size).content();
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                throw new ImageException(
                        Fault.MISSING, "there is no " + file + " with the digests of " + name.file(), e);
            }
            throw e;
        } catch (IOException e) {
            throw new ImageException(
                    Fault.FOREIGN, file + " does not contain the digests of " + name.file() + ": " + e.getMessage(), e);
        }
        checkHeader(file, name, found);
        if (!Sha256.of(found).equals(root)) {
            throw new ImageException(
                    Fault.CHANGED, file + " has changed: its digest differs from the one in the manifest");
        }
        return new RamDigests(name, found);
    }

    private static void checkHeader(Path file, RamFileName name, byte[] found) throws ImageException {
        if (found.length < HEADER || !Arrays.equals(found, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
            throw new ImageException(Fault.FOREIGN, file + " does not contain the digests of a RAM file");
        }
        int version = ByteBuffer.wrap(found).order(ByteOrder.LITTLE_ENDIAN).getInt(VERSION_AT);
        if (version != VERSION) {
            throw new ImageException(
                    Fault.NEWER, file + " has version " + version + ", this exomem supports version " + VERSION);
        }
        byte[] header = header(name.size());
        if (found.length != header.length || !Arrays.equals(found, 0, HEADER, header, 0, HEADER)) {
            throw new ImageException(Fault.CHANGED, file + " contains the digests of a file other than " + name.file());
        }
    }

    /**
     * Writes the digests beside the RAM file, in place of older ones. Returns when they are on disk.
     *
     * @throws IOException if the file system refuses
     */
    public void write(Path folder) throws IOException {
        Path file = folder.resolve(file(name));
        try (FileChannel channel = FileChannel.open(
                file,
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            ByteBuffer all = ByteBuffer.wrap(bytes);
            while (all.hasRemaining()) {
                channel.write(all);
            }
            channel.force(true);
        }
    }

    /** The digest of all digests, for a manifest. */
    public Sha256 root() {
        return Sha256.of(bytes);
    }

    /** The number of ranges. */
    public int ranges() {
        return ranges(name.size());
    }

    /** True if all bytes of a range are zeros. */
    public boolean isZero(int range) {
        int at = HEADER + range * DIGEST;
        return Arrays.equals(bytes, at, at + DIGEST, new byte[DIGEST], 0, DIGEST);
    }

    /**
     * Reads one range of a file, and compares it with its digest.
     *
     * @throws IOException if it can't be read
     */
    public boolean matches(int range, SharedFile file) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            return matches(range, file, arena.allocate(RANGE, RANGE));
        }
    }

    private boolean matches(int range, SharedFile file, MemorySegment buffer) throws IOException {
        int at = HEADER + range * DIGEST;
        byte[] found = digest(file, name.size(), range, buffer);
        return Arrays.equals(bytes, at, at + DIGEST, found, 0, DIGEST);
    }

    /**
     * Checks a whole file, on several threads.
     *
     * @param path of the file, for messages
     * @throws ImageException {@link Fault#CHANGED} naming the first range that has changed, and the number of such ranges;
     *     {@link Fault#SIZE}
     */
    public void check(SharedFile file, Path path) throws IOException {
        if (file.size() != name.size()) {
            throw new ImageException(
                    Fault.SIZE, path + " has " + file.size() + " bytes, but its name states " + name.size());
        }
        AtomicInteger first = new AtomicInteger(Integer.MAX_VALUE);
        AtomicInteger changed = new AtomicInteger();
        forEachRange(ranges(), (range, buffer) -> {
            if (!matches(range, file, buffer)) {
                first.accumulateAndGet(range, Math::min);
                changed.incrementAndGet();
            }
        });
        if (changed.get() > 0) {
            long start = (long) first.get() * RANGE;
            throw new ImageException(
                    Fault.CHANGED,
                    path + " has changed: bytes " + start + " to " + (Math.min(start + RANGE, name.size()) - 1)
                            + " differ from those that were saved"
                            + (changed.get() == 1
                                    ? ""
                                    : ", and so do " + (changed.get() - 1) + " ranges after them, of " + ranges()));
        }
    }
}
