package org.exomem.migration.pagesource;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * A file whose reads wait until they are let go on, as those of a slow disk: a FUSE server of one file, mounted over a file. All its
 * bytes are {@link #VALUE}. Reads past the page cache have pinned the memory that they read into by the time they are asked for
 * here.
 *
 * <pre>
 * request  0 length  4 opcode  8 unique  16 node  24 user, group, process  40 arguments
 * answer   0 length  4 error   8 unique  16 results
 * </pre>
 */
final class SlowFile implements AutoCloseable {
    static final byte VALUE = 0x5a;

    private static final int REQUEST_HEADER = 40;
    private static final int ANSWER_HEADER = 16;
    private static final int BUFFER = 1 << 20;
    private static final int O_RDWR = 2;
    private static final int DETACH = 2;
    private static final int ENOSYS = 38;
    private static final int REGULAR_FILE = 0100000;
    private static final int DIRECT_IO = 1;
    private static final int MINOR_VERSION = 31;
    private static final int MOST_BYTES = 1 << 16;
    private static final long LIMIT_SECONDS = 20;

    private final Path path;
    private final long size;
    private final int device;
    private final Thread server;
    private final Semaphore asked = new Semaphore(0);
    private final Semaphore letGo = new Semaphore(0);

    private SlowFile(Path path, long size, int device) {
        this.path = path;
        this.size = size;
        this.device = device;
        this.server = Thread.ofPlatform().daemon().name("slow-file").start(this::serve);
    }

    /** Why there can be none here; empty if there can be. */
    static String whyNot() {
        return Files.isWritable(Path.of("/dev/fuse")) && isRoot() ? "" : "needs root and /dev/fuse";
    }

    private static boolean isRoot() {
        try {
            return C.USER.of() == 0;
        } catch (IOException e) {
            return false;
        }
    }

    /** @param path of a file that exists, until this is closed hidden by this one */
    static SlowFile over(Path path, long size) throws IOException {
        int device = (int) C.OPEN.of("/dev/fuse", O_RDWR, 0);
        try {
            C.MOUNT.of(
                    "slow",
                    path.toString(),
                    "fuse",
                    0L,
                    "fd=" + device + ",rootmode=" + Integer.toOctalString(REGULAR_FILE) + ",user_id=0,group_id=0");
        } catch (IOException e) {
            C.CLOSE.of(device);
            throw e;
        }
        return new SlowFile(path, size, device);
    }

    /** Returns when a read waits. */
    void awaitRead() throws IOException {
        try {
            if (!asked.tryAcquire(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                throw new IOException("nobody reads the slow file");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(e);
        }
    }

    /** Lets one read go on. */
    void letGo() {
        letGo.release();
    }

    private void serve() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment request = arena.allocate(BUFFER, 8);
            MemorySegment answer = arena.allocate(BUFFER, 8);
            while (true) {
                C.READ.of(device, C.address(request.address()), (long) BUFFER);
                answer(request, answer);
            }
        } catch (IOException e) {
            // It is mounted no more.
        }
    }

    private void answer(MemorySegment request, MemorySegment answer) throws IOException {
        answer.fill((byte) 0);
        int opcode = request.get(JAVA_INT_UNALIGNED, 4);
        switch (opcode) {
            case 2, 36, 42 -> {
                // FORGET, INTERRUPT and BATCH_FORGET get no answer.
            }
            case 3 -> {
                attributes(answer);
                send(request, answer, 104, 0);
            }
            case 14 -> {
                answer.set(JAVA_INT_UNALIGNED, ANSWER_HEADER + 8, DIRECT_IO);
                send(request, answer, 16, 0);
            }
            case 15 -> read(request, answer);
            case 18, 25 -> send(request, answer, 0, 0);
            case 26 -> {
                answer.set(JAVA_INT_UNALIGNED, ANSWER_HEADER, 7);
                answer.set(JAVA_INT_UNALIGNED, ANSWER_HEADER + 4, MINOR_VERSION);
                answer.set(JAVA_SHORT_UNALIGNED, ANSWER_HEADER + 16, (short) 16);
                answer.set(JAVA_INT_UNALIGNED, ANSWER_HEADER + 20, MOST_BYTES);
                send(request, answer, 64, 0);
            }
            default -> send(request, answer, 0, -ENOSYS);
        }
    }

    private void attributes(MemorySegment answer) {
        int attributes = ANSWER_HEADER + 16;
        answer.set(JAVA_LONG_UNALIGNED, attributes, 1);
        answer.set(JAVA_LONG_UNALIGNED, attributes + 8, size);
        answer.set(JAVA_INT_UNALIGNED, attributes + 60, REGULAR_FILE | 0600);
        answer.set(JAVA_INT_UNALIGNED, attributes + 64, 1);
        answer.set(JAVA_INT_UNALIGNED, attributes + 80, 4096);
    }

    private void read(MemorySegment request, MemorySegment answer) throws IOException {
        long offset = request.get(JAVA_LONG_UNALIGNED, REQUEST_HEADER + 8);
        long wanted = request.get(JAVA_INT_UNALIGNED, REQUEST_HEADER + 16);
        long length = Math.clamp(size - offset, 0, wanted);
        asked.release();
        letGo.acquireUninterruptibly();
        answer.asSlice(ANSWER_HEADER, length).fill(VALUE);
        send(request, answer, length, 0);
    }

    private void send(MemorySegment request, MemorySegment answer, long length, int error) throws IOException {
        answer.set(JAVA_INT_UNALIGNED, 0, (int) (ANSWER_HEADER + length));
        answer.set(JAVA_INT_UNALIGNED, 4, error);
        answer.set(JAVA_LONG_UNALIGNED, 8, request.get(JAVA_LONG_UNALIGNED, 8));
        C.WRITE.of(device, C.address(answer.address()), ANSWER_HEADER + length);
        Reference.reachabilityFence(answer);
    }

    @Override
    public void close() throws IOException {
        // A read that waits would keep the server.
        letGo.release(1000);
        try {
            C.UNMOUNT.of(path.toString(), DETACH);
        } finally {
            C.CLOSE.of(device);
        }
    }
}
