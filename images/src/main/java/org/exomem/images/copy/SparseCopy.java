package org.exomem.images.copy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.exomem.images.ram.FileSystemKind;
import org.exomem.linux.Errno;
import org.exomem.linux.FileStatus;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;

/**
 * Copies a RAM file to a new file, with holes for everything that needs no space: holes, pages of zeros, and free pages. No
 * process may write to the file meanwhile.
 */
public final class SparseCopy {
    private static final long PAGE = SharedFile.SMALL_PAGE;
    /** The bytes that a thread handles at once. */
    private static final long RANGE = 8 << 20;
    /** The bytes of one read and write; they stay in a processor's cache in between. */
    private static final long PIECE = 256 << 10;

    private static final int MOST_THREADS = 8;

    /** How the copy was made. */
    public enum Way {
        /** The file system shares the blocks of both files until one is written. */
        SHARED,
        /** The file system copied the bytes itself. */
        BY_FILE_SYSTEM,
        /** The bytes were read and written. */
        COPIED
    }

    /**
     * The result for a file. The numbers of bytes add up to its size.
     *
     * @param copied bytes of data in the copy
     * @param holes bytes that were holes before
     * @param zeros bytes of data in pages of zeros
     * @param free bytes of data in free pages
     */
    public record Result(Way way, long copied, long holes, long zeros, long free) {}

    /** Receives the progress, on any of the copying threads, one at a time. */
    public interface Progress {
        /** Ignores the progress. */
        Progress NONE = (done, all) -> {};

        /**
         * @param done bytes of the file that are done
         * @param all the size of the file
         * @throws CancellationException to end the copy, which is removed then
         */
        void at(long done, long all);
    }

    private final SharedFile from;
    private final FileStatus before;
    private final long size;
    private final @Nullable PageBits free;
    private final Progress progress;
    private final Tally tally = new Tally();
    private final AtomicLong next = new AtomicLong();
    private long done;

    private SparseCopy(SharedFile from, @Nullable PageBits free, Progress progress) throws LinuxException {
        this.from = from;
        this.before = from.status();
        this.size = before.size();
        this.free = free;
        this.progress = progress;
    }

    /**
     * Copies a file. Returns when the copy is on disk.
     *
     * @param from is only read
     * @param to the path of the copy, which must not exist; it gets access for its owner only
     * @param free the pages whose content is not needed, by their numbers in the file; null if none are known
     * @throws ImageException {@link Fault#EXISTS} if the path exists, which does not change then; {@link Fault#CHANGED} if
     *     the file was written or truncated meanwhile, and the copy was removed
     * @throws LinuxException ENOSPC, … if it can't be written, or the host has not enough huge pages for it; the copy was
     *     removed
     * @throws IllegalArgumentException if the file's size is no multiple of 4096 bytes, or {@code free} has another number
     *     of pages
     */
    public static Result copy(SharedFile from, Path to, @Nullable PageBits free, Progress progress) throws IOException {
        SparseCopy copy = new SparseCopy(from, free, progress);
        if (copy.size % PAGE != 0 || free != null && free.pages() != copy.size / PAGE) {
            throw new IllegalArgumentException("a file of " + copy.size + " bytes does not have that number of pages");
        }
        SharedFile target;
        try {
            target = SharedFile.create(to, copy.size);
        } catch (LinuxException e) {
            if (e.errno() == Errno.EEXIST) {
                throw new ImageException(Fault.EXISTS, to + " already exists", e);
            }
            if (e.errno() == Errno.EINVAL && isInHugePages(to)) {
                Files.deleteIfExists(to);
                throw new ImageException(
                        Fault.MISMATCH,
                        to + " can't have " + copy.size
                                + " bytes: that is not a multiple of the huge page size of its file system",
                        e);
            }
            throw e;
        }
        boolean whole = false;
        try (target) {
            Result result = copy.into(target, FileSystemKind.of(to));
            copy.expectUnchanged();
            target.sync();
            whole = true;
            return result;
        } finally {
            if (!whole) {
                Files.deleteIfExists(to);
            }
        }
    }

    /** The end of a truncated file looks like a hole, so that the copy would have zeros there. */
    private void expectUnchanged() throws IOException {
        if (!before.isUnchanged(from.status())) {
            throw changed();
        }
    }

    private ImageException changed() {
        return new ImageException(Fault.CHANGED, from + " changed while it was copied");
    }

    private static boolean isInHugePages(Path file) throws IOException {
        Path folder = file.toAbsolutePath().getParent();
        return folder != null && FileSystemKind.of(folder) == FileSystemKind.HUGETLBFS;
    }

    private Result into(SharedFile to, FileSystemKind kind) throws IOException {
        if (to.pageSize() != PAGE) {
            try (Mapping mapping = Mapping.of(to, 0, size)) {
                run((start, end) -> copy(new HugePagesTarget(to, mapping.segment()), start, end));
            }
            return result(Way.COPIED);
        }
        if (to.cloneOf(from)) {
            return shared(to);
        }
        boolean byFileSystem = kind == FileSystemKind.REMOTE && to.copyRange(from, 0, 0) == 0;
        run(byFileSystem ? (start, end) -> byFileSystem(to, start, end) : (start, end) -> copy(to::write, start, end));
        return result(byFileSystem ? Way.BY_FILE_SYSTEM : Way.COPIED);
    }

    private Result result(Way way) {
        long copied = tally.copied.sum();
        long zeros = tally.zeros.sum();
        long freed = tally.free.sum();
        return new Result(way, copied, size - copied - zeros - freed, zeros, freed);
    }

    /** Pages of zeros take no space of their own in a shared copy, so they are not looked for. */
    private Result shared(SharedFile to) throws IOException {
        for (long at = 0; at < size; at += RANGE) {
            long end = Math.min(at + RANGE, size);
            forEachNeeded(at, end, (start, length) -> tally.copied.add(length), (start, length) -> {
                to.punchHole(start, length);
                tally.free.add(length);
            });
            tell(end - at);
        }
        return result(Way.SHARED);
    }

    /** The destination of bytes. */
    @FunctionalInterface
    private interface Target {
        void write(long offset, MemorySegment bytes) throws IOException;
    }

    /** A file of huge pages can be written only through a mapping. */
    private record HugePagesTarget(SharedFile to, MemorySegment mapped) implements Target {
        @Override
        public void write(long offset, MemorySegment bytes) throws IOException {
            long page = to.pageSize();
            long first = offset & -page;
            // Before it is touched: on a host without a free huge page, the touch would end this process with a signal.
            to.allocate(first, (offset + bytes.byteSize() - first + page - 1) & -page);
            MemorySegment.copy(bytes, 0, mapped, offset, bytes.byteSize());
        }
    }

    private interface Range {
        /** Bytes of the file, whole pages. */
        void of(long start, long end) throws IOException;
    }

    /** A run of bytes of the file. */
    private interface Run {
        void of(long start, long length) throws IOException;
    }

    /** Handles all ranges of the file, on several threads. */
    private void run(Range range) throws IOException {
        long ranges = (size + RANGE - 1) / RANGE;
        int threads = (int)
                Math.min(ranges, Math.min(MOST_THREADS, Runtime.getRuntime().availableProcessors()));
        try (ExecutorService executor = Executors.newFixedThreadPool(Math.max(1, threads))) {
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                all.add(executor.submit(() -> {
                    rangesOf(range);
                    return null;
                }));
            }
            await(all);
        }
    }

    private void rangesOf(Range range) throws IOException {
        try {
            for (long start = take(); start < size; start = take()) {
                long end = Math.min(start + RANGE, size);
                range.of(start, end);
                tell(end - start);
            }
        } catch (IOException | RuntimeException e) {
            // The other threads end too.
            next.set(size);
            throw e;
        }
    }

    private long take() {
        return next.getAndAdd(RANGE);
    }

    private void await(List<Future<?>> all) throws IOException {
        @Nullable Exception failure = null;
        for (Future<?> one : all) {
            try {
                one.get();
            } catch (ExecutionException e) {
                failure = failure == null && e.getCause() instanceof Exception cause ? cause : failure;
            } catch (InterruptedException e) {
                next.set(size);
                failure = new CancellationException("interrupted while a RAM file is copied");
                Thread.currentThread().interrupt();
            }
        }
        switch (failure) {
            case null -> {}
            case IOException e -> throw e;
            case RuntimeException e -> throw e;
            default -> throw new IllegalStateException(failure);
        }
    }

    private synchronized void tell(long bytes) {
        done += bytes;
        progress.at(done, size);
    }

    /** Visits the needed and the free data of a range, without the holes. */
    private void forEachNeeded(long start, long end, Run needed, Run unneeded) throws IOException {
        long at = from.nextData(start);
        while (at >= 0 && at < end) {
            // A file system with blocks smaller than a page may have only a part of a page.
            long data = Math.max(start, at & -PAGE);
            long found = from.nextHole(at);
            if (found < 0) {
                throw changed();
            }
            long hole = Math.min(end, (found + PAGE - 1) & -PAGE);
            split(data, hole, needed, unneeded);
            at = hole < end ? from.nextData(hole) : -1;
        }
    }

    private void split(long start, long end, Run needed, Run unneeded) throws IOException {
        if (free == null) {
            needed.of(start, end - start);
            return;
        }
        long page = start / PAGE;
        long last = end / PAGE;
        while (page < last) {
            boolean isFree = free.contains(page);
            long to = Math.min(last, isFree ? free.nextAbsent(page) : free.next(page));
            (isFree ? unneeded : needed).of(page * PAGE, (to - page) * PAGE);
            page = to;
        }
    }

    private void byFileSystem(SharedFile to, long start, long end) throws IOException {
        forEachNeeded(
                start,
                end,
                (at, length) -> {
                    long copied = 0;
                    while (copied < length) {
                        long count = to.copyRange(from, at + copied, length - copied);
                        if (count <= 0) {
                            throw new IOException("the file system copied only a part of " + from);
                        }
                        copied += count;
                    }
                    tally.copied.add(length);
                },
                (at, length) -> tally.free.add(length));
    }

    private void copy(Target to, long start, long end) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(PIECE, PAGE);
            forEachNeeded(
                    start,
                    end,
                    (at, length) -> {
                        for (long piece = at; piece < at + length; piece += PIECE) {
                            piece(to, piece, buffer.asSlice(0, Math.min(PIECE, at + length - piece)));
                        }
                    },
                    (at, length) -> tally.free.add(length));
        }
    }

    private void piece(Target to, long at, MemorySegment buffer) throws IOException {
        long length = buffer.byteSize();
        if (from.read(at, buffer) < length) {
            throw new ImageException(Fault.CHANGED, from + " became shorter while it was copied");
        }
        for (long i = 0; i < length; ) {
            boolean zero = ZeroPages.isZero(buffer, i);
            long end = ZeroPages.runEnd(buffer, i, length, zero);
            if (zero) {
                tally.zeros.add(end - i);
            } else {
                to.write(at + i, buffer.asSlice(i, end - i));
                tally.copied.add(end - i);
            }
            i = end;
        }
    }
}
