package org.exomem.linux.process;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The lines of what the kernel tells of a process, one at a time: how many there are, and how long their paths, is the process's own choice, and
 * together they may be larger than the heap. For one thread.
 */
final class ProcessLines implements AutoCloseable {
    private static final int BUFFER_BYTES = 64 << 10;
    /** More than a path of 4096 bytes takes, of which the kernel writes some as 4. Those of folders within folders may be longer. */
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
     * @param process its number, or {@code self}
     * @throws IOException if the process has ended, or may not be looked at
     */
    static ProcessLines of(String process, String file) throws IOException {
        return new ProcessLines(Files.newInputStream(Path.of("/proc", process, file)));
    }

    static ProcessLines of(String text) {
        return new ProcessLines(new ByteArrayInputStream(text.getBytes(StandardCharsets.ISO_8859_1)));
    }

    /**
     * Returns the next line without its end, each byte a character; of a very long one the beginning. Null behind the last one.
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

    /** Puts more behind what is left, which begins at 0 then; false if there is no more. */
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
