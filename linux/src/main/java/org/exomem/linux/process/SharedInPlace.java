package org.exomem.linux.process;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.exomem.linux.Fd;
import org.exomem.linux.FileStatus;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.process.MappedFiles.Area;

/**
 * Converts private pages of another process to shared pages of a file that it has open, while its threads go on. The content
 * of the pages is copied to the file, and the file is mapped in their place:
 *
 * <pre>
 * 1. the main thread of the process is stopped, and pages that are shared by then are left out
 * 2. threads that write to the pages wait (UFFDIO_WRITEPROTECT)
 * 3. the pages are copied into the file
 * 4. the main thread maps the file over them, and goes on
 * 5. the waiting threads touch them again (UFFDIO_WAKE)
 * </pre>
 *
 * <p>Takes about a millisecond. The main thread is stopped for that time; other threads only if they write to the pages. If
 * this process is killed meanwhile, the kernel lets all threads go on, with the old pages or with the file. x86-64 only.
 * Safe for use by several threads, one after the other.
 */
public final class SharedInPlace implements AutoCloseable {
    private static final int PIECE = 1 << 16;
    /** The most calls while the main thread is stopped: some milliseconds. */
    private static final int MOST_CALLS = 64;

    private static final int MMAP = 9;
    private static final int MADVISE = 28;
    private static final long DONTNEED = 4;
    private static final long READ_WRITE = 3;
    private static final long SHARED_FIXED = 0x11;
    private static final Set<Userfaultfd.Feature> FEATURES = EnumSet.of(Userfaultfd.Feature.WRITE_PROTECT_SHARED);
    private static final Set<Userfaultfd.Mode> MODES = EnumSet.of(Userfaultfd.Mode.WRITE_PROTECT);
    private static final Duration LIMIT = Duration.ofMillis(500);

    private final ProcessFd process;
    private final int descriptor;
    private final SharedFile file;
    /** The file, named as in lists of mappings. */
    private final String name;

    private final OwnPages memory;
    private final Userfaultfd userfaultfd;
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(PIECE);

    private SharedInPlace(
            ProcessFd process, int descriptor, SharedFile file, String name, OwnPages memory, Userfaultfd userfaultfd) {
        this.process = process;
        this.descriptor = descriptor;
        this.file = file;
        this.name = name;
        this.memory = memory;
        this.userfaultfd = userfaultfd;
    }

    /**
     * Pages to share.
     *
     * @param address of the first byte in the process; there must be a private mapping of a file in a memory file system, or
     *     the file itself
     * @param offset of the first byte in the file, which is zeros where it is not mapped
     * @param length bytes, whole pages
     */
    public record Range(long address, long offset, long length) {
        /** The rest of it without the parts that are mapped already. */
        private List<Range> without(Area area) {
            long first = Math.max(address, area.from());
            long end = Math.min(address + length, area.to());
            if (first >= end || area.from() - area.offset() != address - offset) {
                return List.of(this);
            }
            List<Range> left = new ArrayList<>(2);
            if (address < first) {
                left.add(new Range(address, offset, first - address));
            }
            if (end < address + length) {
                left.add(new Range(end, offset + end - address, address + length - end));
            }
            return left;
        }
    }

    /**
     * @param process remains the caller's, and must stay open as long as this
     * @param file that the process has open; remains the caller's too
     * @throws IOException if the process can't be attached to, or has not opened the file; it is as before
     */
    public static SharedInPlace of(ProcessFd process, SharedFile file) throws IOException {
        int descriptor = descriptorOf(process, file);
        String name = MappedFiles.nameOf(file);
        OwnPages memory = OwnPages.of(process.pid());
        try {
            Fd fd = ForeignUserfaultfd.fetchForSystemCallsToo(process).fd();
            return new SharedInPlace(process, descriptor, file, name, memory, Userfaultfd.of(fd, FEATURES));
        } catch (IOException | RuntimeException e) {
            memory.close();
            throw e;
        }
    }

    private static int descriptorOf(ProcessFd process, SharedFile file) throws IOException {
        FileStatus wanted = FileStatus.of(file.fd());
        for (Map.Entry<Integer, String> open :
                OpenFiles.of(process.pid()).names().entrySet()) {
            if (open.getValue().startsWith("/")) {
                try (Fd fetched = process.fetch(open.getKey())) {
                    if (FileStatus.of(fetched).isSameFileAs(wanted)) {
                        return open.getKey();
                    }
                }
            }
        }
        throw new IOException(process + " has not opened " + file);
    }

    /**
     * Shares pages. Pages that are shared already do not change, no matter who shared them: later writes to the file are not
     * overwritten. That is checked while the main thread is stopped, so that nothing else can be mapped meanwhile.
     *
     * @throws IOException if that fails; some of the ranges may be shared, each completely or not at all
     */
    public void share(List<Range> ranges) throws IOException {
        Attaching.to(process, () -> {
            try (BorrowedThread thread = BorrowedThread.stop(Tracing.REAL, process, LIMIT)) {
                for (Range range : notShared(ranges)) {
                    share(thread, range);
                }
            }
            return ranges;
        });
    }

    private List<Range> notShared(List<Range> ranges) throws IOException {
        List<Range> left = ranges;
        for (Area area : MappedFiles.of(process.pid()).areas()) {
            if (area.file().equals(name)) {
                left = left.stream()
                        .flatMap(range -> range.without(area).stream())
                        .toList();
            }
        }
        return left;
    }

    private void share(BorrowedThread thread, Range range) throws IOException {
        userfaultfd.register(range.address, range.length, MODES);
        boolean mapped = false;
        try {
            userfaultfd.protect(range.address, range.length);
            copy(range);
            long result =
                    thread.call(MMAP, range.address, range.length, READ_WRITE, SHARED_FIXED, descriptor, range.offset);
            if (result != range.address) {
                throw new LinuxException("mmap", "the process attached to", (int) -result);
            }
            mapped = true;
        } finally {
            if (!mapped) {
                userfaultfd.unregister(range.address, range.length);
            }
            userfaultfd.wake(range.address, range.length);
        }
    }

    /**
     * Frees private memory of the process. Afterwards such pages have the content of the file of which they are a private
     * mapping; other pages do not change.
     *
     * @throws IOException if that fails
     */
    public void giveBack(List<Range> ranges) throws IOException {
        List<Range> own = new ArrayList<>();
        for (Range range : ranges) {
            boolean[] any = new boolean[1];
            memory.forEach(range.address, range.length, (address, length) -> any[0] = true);
            if (any[0]) {
                own.add(range);
            }
        }
        for (int i = 0; i < own.size(); i += MOST_CALLS) {
            List<Range> some = own.subList(i, Math.min(own.size(), i + MOST_CALLS));
            Attaching.to(process, () -> {
                try (BorrowedThread thread = BorrowedThread.stop(Tracing.REAL, process, LIMIT)) {
                    for (Range range : some) {
                        long result = thread.call(MADVISE, range.address, range.length, DONTNEED);
                        if (result < 0) {
                            throw new LinuxException("madvise", "the process attached to", (int) -result);
                        }
                    }
                }
                return some;
            });
        }
    }

    private void copy(Range range) throws IOException {
        for (long done = 0; done < range.length; done += PIECE) {
            buffer.clear().limit((int) Math.min(PIECE, range.length - done));
            memory.read(range.address + done, buffer);
            file.write(range.offset + done, MemorySegment.ofBuffer(buffer.flip()));
        }
    }

    @Override
    public void close() throws IOException {
        userfaultfd.close();
        memory.close();
    }
}
