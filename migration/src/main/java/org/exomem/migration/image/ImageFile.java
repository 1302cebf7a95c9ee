package org.exomem.migration.image;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.exomem.linux.SharedFile;

/**
 * A file of a guest's memory, with a descriptor of its own, so that it is independent of the connection that it came over.
 * Several threads may read it at the same time.
 */
public final class ImageFile implements AutoCloseable {
    private final String name;
    private final SharedFile file;
    private final FileChannel channel;
    private final long size;

    /**
     * @param name the same at both ends of a migration
     * @param file owned from now on, also if this fails
     * @throws IOException if it can't be read
     */
    public ImageFile(String name, SharedFile file) throws IOException {
        this.name = name;
        this.file = file;
        try {
            this.size = file.size();
            // The JDK can't make a channel from an open descriptor.
            this.channel = FileChannel.open(
                    Path.of("/proc/self/fd", Integer.toString(file.fd().number())), StandardOpenOption.READ);
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    public String name() {
        return name;
    }

    public SharedFile file() {
        return file;
    }

    /** The size in bytes when the image was made. */
    public long size() {
        return size;
    }

    /**
     * Reads without a mapping, so that a hole remains a hole, and a truncated file does not end this process with a signal.
     */
    void read(MemorySegment into, long offset) throws IOException {
        ByteBuffer buffer = into.asByteBuffer();
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, offset + buffer.position()) < 0) {
                throw shorter(offset + into.byteSize());
            }
        }
    }

    /**
     * Checks that the file was not truncated since the image was made: after its end there is neither data nor a hole.
     *
     * @throws IOException if it was
     */
    public void expectWhole() throws IOException {
        if (file.size() < size) {
            throw shorter(size);
        }
    }

    private IOException shorter(long end) {
        return new IOException("the memory file " + name + " (" + file + ") was truncated: it ends before byte " + end);
    }

    /** The offset of the first data at or after {@code from}, or the size. */
    long nextData(long from) throws IOException {
        long found = file.nextData(from);
        return found < 0 ? size : Math.min(size, found);
    }

    /** The offset of the first hole at or after {@code from}, or the size. */
    long nextHole(long from) throws IOException {
        long found = file.nextHole(from);
        return found < 0 ? size : Math.min(size, found);
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            // No data was written through it.
        }
        file.close();
    }
}
