package org.exomem.linux.process;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.exomem.linux.LinuxException;

/** Changes what another process has mapped, by system calls that its main thread makes for that, which stands still for about a millisecond. */
public final class ForeignMappings {
    private static final int MPROTECT = 10;
    private static final int MREMAP = 25;
    private static final long MAY_MOVE = 1;
    private static final long FIXED = 2;
    /** What was mapped at the first place stays mapped there: nothing else may come to be there. */
    private static final long DONT_UNMAP = 4;

    private static final long NO_ACCESS = 0;

    private static final Duration LIMIT = Duration.ofMillis(500);

    private ForeignMappings() {}

    /**
     * A part of what is mapped.
     *
     * @param from address of the first byte, at the beginning of a page
     * @param over address where it is put, at the beginning of a page
     * @param length bytes, whole pages of one mapping
     */
    public record Part(long from, long over, long length) {}

    /**
     * Puts parts of what a process has mapped at one place at others, in place of what is mapped there. The first place stays mapped, without access;
     * pages that were written through it are at the others.
     *
     * @param from address of the first byte of the whole mapping
     * @param length bytes of it
     * @throws IOException if it could not be done, saying why; some of the parts may be in their places
     */
    public static void putOver(ProcessFd process, long from, long length, List<Part> parts) throws IOException {
        Attaching.to(process, () -> {
            try (BorrowedThread thread = BorrowedThread.stop(Tracing.REAL, process, LIMIT)) {
                for (Part part : parts) {
                    refuse(
                            "mremap",
                            thread.call(
                                    MREMAP,
                                    part.from,
                                    part.length,
                                    part.length,
                                    MAY_MOVE | FIXED | DONT_UNMAP,
                                    part.over));
                }
                refuse("mprotect", thread.call(MPROTECT, from, length, NO_ACCESS));
                return parts;
            }
        });
    }

    private static void refuse(String call, long result) throws LinuxException {
        if (result < 0 && result > -4096) {
            throw new LinuxException(call, "the process attached to", (int) -result);
        }
    }
}
