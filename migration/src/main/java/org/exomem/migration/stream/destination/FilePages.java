package org.exomem.migration.stream.destination;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.wire.Closing;

/**
 * Guest memory in files. Pages are written with {@code pwrite}, which allocates memory without clearing it first; on
 * hugetlbfs, which has no such call, through a mapping. Dense memory gets huge pages if the host allows them for the file.
 * Zeros and free pages are given back to the host, in units of the file's pages; the rest of a run of zeros is written. Safe
 * for use by several threads.
 */
public final class FilePages implements PageTarget {
    private static final int ZEROS = 1 << 16;

    private final int pageSize;
    private final List<Part> parts = new ArrayList<>();

    private interface Writer extends AutoCloseable {
        void write(MemorySegment content, long offset) throws IOException;

        /** Gives memory back to the host; whole units of the file. */
        void punch(long offset, long length) throws IOException;

        @Override
        void close();
    }

    private record Part(SharedFile file, long firstByte, long size, Writer writer) {}

    /** A part of a run of pages that is in one file. */
    private interface Piece {
        void use(Part part, long offset, long length) throws IOException;
    }

    /**
     * @param files open for writing, of the described sizes; they remain the caller's, and must stay open as long as this
     * @throws IOException if one has another size, or can't be written
     */
    public FilePages(MemoryDescription memory, List<SharedFile> files) throws IOException {
        this.pageSize = memory.pageSize();
        if (files.size() != memory.files().size()) {
            throw new IOException(
                    files.size() + " files for a memory of " + memory.files().size() + " files");
        }
        try {
            long at = 0;
            for (int i = 0; i < files.size(); i++) {
                SharedFile file = files.get(i);
                long size = memory.files().get(i).size();
                if (file.size() != size) {
                    throw new IOException(
                            "the memory file " + file + " has " + file.size() + " bytes, but the source's "
                                    + memory.files().get(i).name() + " has " + size);
                }
                parts.add(new Part(file, at, size, writer(file, size)));
                at += size;
            }
        } catch (IOException e) {
            close();
            throw e;
        }
    }

    private static Writer writer(SharedFile file, long size) throws IOException {
        return file.pageSize() == SharedFile.SMALL_PAGE ? new CallWriter(file, size) : new MappingWriter(file, size);
    }

    @Override
    public void pages(long first, MemorySegment content) throws IOException {
        long from = first * pageSize;
        each(
                from,
                content.byteSize(),
                (part, offset, length) ->
                        part.writer.write(content.asSlice(part.firstByte + offset - from, length), offset));
    }

    @Override
    public void zeros(long first, long count) throws IOException {
        each(first * pageSize, count * pageSize, (part, offset, length) -> {
            long unit = part.file.pageSize();
            long start = Math.min(offset + length, roundUp(offset, unit));
            long end = Math.max(start, (offset + length) / unit * unit);
            clear(part, offset, start - offset);
            if (end > start) {
                part.writer.punch(start, end - start);
            }
            clear(part, end, offset + length - end);
        });
    }

    private static void clear(Part part, long offset, long length) throws IOException {
        MemorySegment zeros = MemorySegment.ofArray(new byte[(int) Math.min(length, ZEROS)]);
        for (long at = 0; at < length; at += ZEROS) {
            part.writer.write(zeros.asSlice(0, Math.min(ZEROS, length - at)), offset + at);
        }
    }

    @Override
    public void free(long first, long count) throws IOException {
        each(first * pageSize, count * pageSize, (part, offset, length) -> {
            long unit = part.file.pageSize();
            long start = roundUp(offset, unit);
            long end = (offset + length) / unit * unit;
            if (end > start) {
                part.writer.punch(start, end - start);
            }
        });
    }

    private static long roundUp(long value, long unit) {
        return value % unit == 0 ? value : (value / unit + 1) * unit;
    }

    private void each(long from, long length, Piece piece) throws IOException {
        for (Part part : parts) {
            long start = Math.max(from, part.firstByte);
            long end = Math.min(from + length, part.firstByte + part.size);
            if (start < end) {
                piece.use(part, start - part.firstByte, end - start);
            }
        }
    }

    @Override
    public void close() {
        parts.forEach(part -> part.writer.close());
    }

    /** Writes with system calls. */
    private static final class CallWriter implements Writer {
        private final SharedFile file;
        private final FileChannel channel;
        private final HugePages huge;
        /** The kernel also lets only one thread at a time write to a file. Without this lock the others would busy-wait. */
        private final ReentrantLock turn = new ReentrantLock();

        CallWriter(SharedFile file, long size) throws IOException {
            this.file = file;
            // The JDK can't make a channel from an open descriptor.
            this.channel = FileChannel.open(
                    Path.of("/proc/self/fd", Integer.toString(file.fd().number())), StandardOpenOption.WRITE);
            this.huge = new HugePages(file, size);
        }

        @Override
        public void write(MemorySegment content, long offset) throws IOException {
            ByteBuffer bytes = content.asByteBuffer();
            turn.lock();
            try {
                huge.prepare(offset, content.byteSize());
                for (long at = offset; bytes.hasRemaining(); ) {
                    at += channel.write(bytes, at);
                }
                huge.arrived(offset, content.byteSize());
            } finally {
                turn.unlock();
            }
        }

        @Override
        public void punch(long offset, long length) throws IOException {
            turn.lock();
            try {
                file.punchHole(offset, length);
                huge.arrived(offset, length);
            } finally {
                turn.unlock();
            }
        }

        @Override
        public void close() {
            huge.close();
            Closing.quietly(channel);
        }
    }

    /** Writes through a mapping. */
    private static final class MappingWriter implements Writer {
        private final SharedFile file;
        private final Mapping mapping;

        MappingWriter(SharedFile file, long size) throws IOException {
            this.file = file;
            this.mapping = Mapping.of(file, 0, size);
        }

        @Override
        public void write(MemorySegment content, long offset) throws IOException {
            try {
                // Otherwise a host without free huge pages would end this process with a signal.
                long unit = file.pageSize();
                long start = offset / unit * unit;
                file.allocate(start, roundUp(offset + content.byteSize(), unit) - start);
                MemorySegment.copy(content, 0, mapping.segment(), offset, content.byteSize());
            } catch (InternalError e) {
                throw new IOException("the memory file " + file + " was truncated while pages were written into it", e);
            }
        }

        @Override
        public void punch(long offset, long length) throws IOException {
            file.punchHole(offset, length);
        }

        @Override
        public void close() {
            mapping.close();
        }
    }
}
