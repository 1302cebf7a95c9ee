package org.exomem.linux.process;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.exomem.linux.SharedFile;

/**
 * The pages of a private mapping that its process has written, and which are no pages of the file any more ({@code /proc/PID/pagemap}). For
 * one thread.
 */
public final class OwnPages implements AutoCloseable {
    private static final long PAGE = SharedFile.SMALL_PAGE;
    private static final int ENTRIES = 1 << 13;
    /** A page of a file, or of memory that is shared. */
    private static final long OF_FILE = 1L << 61;

    private static final long SWAPPED = 1L << 62;
    private static final long PRESENT = 1L << 63;

    private final FileChannel pagemap;
    private final FileChannel memory;

    /** Is given runs of pages. */
    @FunctionalInterface
    public interface Visitor {
        /**
         * @param address of the first byte in the process
         * @param length bytes
         */
        void run(long address, long length) throws IOException;
    }

    private OwnPages(FileChannel pagemap, FileChannel memory) {
        this.pagemap = pagemap;
        this.memory = memory;
    }

    /** @throws IOException if the process has ended, or may not be looked at */
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
     * Gives all pages of a range that the process has written; nobody may write there meanwhile.
     *
     * @param from address of the first byte, at the beginning of a page
     * @param length bytes, whole pages
     */
    public void forEach(long from, long length, Visitor visitor) throws IOException {
        ByteBuffer entries = ByteBuffer.allocate(ENTRIES * Long.BYTES).order(ByteOrder.nativeOrder());
        long begin = -1;
        for (long at = from; at < from + length; ) {
            entries.clear();
            entries.limit((int) Math.min(entries.capacity(), (from + length - at) / PAGE * Long.BYTES));
            int read = pagemap.read(entries, at / PAGE * Long.BYTES);
            if (read < Long.BYTES) {
                throw new IOException("the page table of the process can't be read any more");
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

    /** Reads the process's memory until the buffer is full. */
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
