package org.exomem.linux.process;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.exomem.linux.SharedFile;

/**
 * The pages of a private mapping that its process has written, so that they are not pages of the file any more ({@code
 * /proc/PID/pagemap}). For one thread.
 */
public final class OwnPages implements AutoCloseable {
    private static final long PAGE = SharedFile.SMALL_PAGE;
    private static final int ENTRIES = 1 << 13;
    /** Set for a page of a file, or of shared memory. */
    private static final long OF_FILE = 1L << 61;

    private static final long SWAPPED = 1L << 62;
    private static final long PRESENT = 1L << 63;

    private final FileChannel pagemap;
    private final FileChannel memory;

    /** Receives runs of pages. */
    @FunctionalInterface
    public interface Visitor {
        /**
         * @param address of the first byte in the process
         * @param length in bytes
         * @throws IOException to end the visit
         */
        void run(long address, long length) throws IOException;
    }

    private OwnPages(FileChannel pagemap, FileChannel memory) {
        this.pagemap = pagemap;
        this.memory = memory;
    }

    /** @throws IOException if the process has ended, or may not be examined */
    public static OwnPages of(int pid) throws IOException {
        Path process = Path.of("/proc", Integer.toString(pid));
        FileChannel pagemap = FileChannel.open(process.resolve("pagemap"), StandardOpenOption.READ);
        try {
            return new OwnPages(pagemap, FileChannel.open(process.resolve("mem"), StandardOpenOption.READ));
        } catch (IOException e) {
            pagemap.close();
            throw e;
        }
    }

    /**
     * Visits all pages of a range that the process has written. No thread may write there meanwhile.
     *
     * @param from address of the first byte, at the beginning of a page
     * @param length bytes, whole pages
     * @throws IOException if the process has ended, or the visitor throws
     */
    public void forEach(long from, long length, Visitor visitor) throws IOException {
        ByteBuffer entries = ByteBuffer.allocate(ENTRIES * Long.BYTES).order(ByteOrder.nativeOrder());
        long begin = -1;
        for (long at = from; at < from + length; ) {
            entries.clear();
            entries.limit((int) Math.min(entries.capacity(), (from + length - at) / PAGE * Long.BYTES));
            int read = pagemap.read(entries, at / PAGE * Long.BYTES);
            if (read < Long.BYTES) {
                throw new IOException("the page table of the process can no longer be read");
            }
            for (int i = 0; i < read / Long.BYTES; i++, at += PAGE) {
                long entry = entries.getLong(i * Long.BYTES);
                boolean own = (entry & OF_FILE) == 0 && (entry & (PRESENT | SWAPPED)) != 0;
                if (own && begin < 0) {
                    begin = at;
                } else if (!own && begin >= 0) {
                    visitor.run(begin, at - begin);
                    begin = -1;
                }
            }
        }
        if (begin >= 0) {
            visitor.run(begin, from + length - begin);
        }
    }

    /**
     * Reads the process's memory until the buffer is full.
     *
     * @throws IOException if the memory can't be read
     */
    public void read(long address, ByteBuffer into) throws IOException {
        for (long at = address; into.hasRemaining(); ) {
            int read = memory.read(into, at);
            if (read <= 0) {
                throw new IOException("the memory of the process can't be read at " + Long.toHexString(at));
            }
            at += read;
        }
    }

    @Override
    public void close() throws IOException {
        pagemap.close();
        memory.close();
    }
}
