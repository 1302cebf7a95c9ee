package org.exomem.linux.process;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.exomem.linux.LinuxException;

/**
 * Changes the mappings of another process, with system calls of its main thread, which is stopped for about a millisecond.
 */
public final class ForeignMappings {
    private static final int MPROTECT = 10;
    private static final int MREMAP = 25;
    private static final long MAY_MOVE = 1;
    private static final long FIXED = 2;
    /** The old range stays mapped, so that nothing else can be mapped there. */
    private static final long DONT_UNMAP = 4;

    private static final long NO_ACCESS = 0;

    private static final Duration LIMIT = Duration.ofMillis(500);

    private ForeignMappings() {}

    /**
     * A part of a mapping.
     *
     * @param from address of the first byte, at the beginning of a page
     * @param over the new address, at the beginning of a page
     * @param length bytes, whole pages of one mapping
     */
    public record Part(long from, long over, long length) {}

    /**
     * Moves parts of a mapping of a process over other mappings. The old range stays mapped without access. Pages that were
     * written through it are at the new addresses.
     *
     * @param from address of the first byte of the whole mapping
     * @param length of it in bytes
     * @throws IOException if that fails, with the reason; some of the parts may have been moved
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
