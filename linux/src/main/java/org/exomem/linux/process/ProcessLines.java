package org.exomem.linux.process;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The lines of a file that the kernel generates for a process, one at a time. The process itself determines their number and
 * the length of their paths, and together they may be larger than the heap. For one thread.
 */
final class ProcessLines implements AutoCloseable {
    private static final int BUFFER_BYTES = 64 << 10;
    /** More than a path of 4096 bytes needs, of which the kernel writes some as 4. Paths in deep folders may be longer. */
    private static final int MAX_LINE = 32 << 10;

    private final InputStream in;
    private final byte[] buffer = new byte[BUFFER_BYTES];
    private int next;
    private int end;

    private ProcessLines(InputStream in) {
        this.in = in;
    }

    /**
     * Opens a file of a process.
     *
     * @param process its id, or {@code self}
     * @throws IOException if the process has ended, or may not be examined
     */
    static ProcessLines of(String process, String file) throws IOException {
        return new ProcessLines(Files.newInputStream(Path.of("/proc", process, file)));
    }

    static ProcessLines of(String text) {
        return new ProcessLines(new ByteArrayInputStream(text.getBytes(StandardCharsets.ISO_8859_1)));
    }

    /**
     * Returns the next line without its end, each byte as a character; of a very long line the beginning. Null after the
     * last one.
     *
     * @throws IOException if the process has ended
     */
    @Nullable
    String next() throws IOException {
        int lineEnd = next;
        while (!isEnd(lineEnd)) {
            if (lineEnd < end) {
                lineEnd++;
            } else if (lineEnd - next >= MAX_LINE) {
                String line = text(lineEnd);
                skipLine();
                return line;
            } else {
                lineEnd -= next;
                if (!readMore()) {
                    String last = text(end);
                    next = end;
                    return last.isEmpty() ? null : last;
                }
            }
        }
        String line = text(lineEnd);
        next = lineEnd + 1;
        return line;
    }

    private boolean isEnd(int at) {
        return at < end && buffer[at] == '\n';
    }

    /** Reads more bytes after the rest, which is moved to 0; false if there are no more. */
    private boolean readMore() throws IOException {
        int left = end - next;
        System.arraycopy(buffer, next, buffer, 0, left);
        next = 0;
        int read = in.read(buffer, left, buffer.length - left);
        end = left + Math.max(0, read);
        return read >= 0;
    }

    private void skipLine() throws IOException {
        next = end;
        while (next == end || buffer[next] != '\n') {
            if (next < end) {
                next++;
            } else if (!readMore()) {
                return;
            }
        }
        next++;
    }

    private String text(int to) {
        return new String(buffer, next, to - next, StandardCharsets.ISO_8859_1);
    }

    @Override
    public void close() throws IOException {
        in.close();
    }
}
