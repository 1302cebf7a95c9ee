package org.exomem.linux.process;

import java.io.IOException;
import java.time.Duration;
import org.exomem.linux.LinuxException;

/** Changes what another process has mapped, by system calls that its main thread makes for that, which stands still for about a millisecond. */
public final class ForeignMappings {
    private static final int MREMAP = 25;
    private static final long MAY_MOVE = 1;
    private static final long FIXED = 2;
    /** What was mapped at the first place stays mapped there: nothing else may come to be there. */
    private static final long DONT_UNMAP = 4;

    private static final Duration LIMIT = Duration.ofMillis(500);

    private ForeignMappings() {}

    /**
     * Puts what a process has mapped at one place also at another, in place of what is mapped there. The first place stays mapped; pages that
     * were written through it are at the second.
     *
     * @param from address of the first byte, at the beginning of a page
     * @param length bytes, whole pages of one mapping
     * @param over address where it is put, at the beginning of a page
     * @throws IOException if it could not be done, saying why; the process is as it was
     */
    public static void putOver(ProcessFd process, long from, long length, long over) throws IOException {
        Attaching.to(process, () -> {
            try (BorrowedThread thread = BorrowedThread.stop(Tracing.REAL, process, LIMIT)) {
                long result = thread.call(MREMAP, from, length, length, MAY_MOVE | FIXED | DONT_UNMAP, over);
                if (result < 0 && result > -4096) {
                    throw new LinuxException("mremap", "the process attached to", (int) -result);
                }
                return result;
            }
        });
    }
}
