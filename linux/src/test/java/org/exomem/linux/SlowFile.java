package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * A file with slow reads, like a slow disk: a FUSE server of one file, mounted over a file. Reads past the page cache
 * have pinned the memory that they read into before the request arrives here. A read waits until it is released, or for
 * a time that is the same for all. No two words of 8 bytes in it are the same. Any thread may call all methods.
 *
 * <pre>
 * request  0 length  4 opcode  8 unique  16 node  24 user, group, process  40 arguments
 * answer   0 length  4 error   8 unique  16 results
 * </pre>
 */
public final class SlowFile implements AutoCloseable {
    /** The word at byte AT is (AT / 8 + 1) times this. */
    private static final long FACTOR = 0x9e3779b97f4a7c15L;

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
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final Duration FOREVER = Duration.ofDays(1);

    private final Path path;
    private final long size;
    private final int device;
    private final Queue queue = new Queue();

    private SlowFile(Path path, long size, int device, int atOnce) {
        this.path = path;
        this.size = size;
        this.device = device;
        // One more server, for other requests while that many reads wait.
        for (int i = 0; i <= atOnce; i++) {
            Thread.ofPlatform().daemon().name("slow-file").start(this::serve);
        }
    }

    /** Why such a file is impossible here; empty if it is possible. */
    public static String whyNot() {
        return Files.isWritable(Path.of("/dev/fuse")) && isRoot() ? "" : "needs root and /dev/fuse";
    }

    private static boolean isRoot() {
        try {
            return C.USER.of() == 0;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * Mounts a file. All reads wait until they are released.
     *
     * @param path of an existing file, which this one hides until it is closed
     * @param size bytes
     * @param atOnce the number of reads that are served at the same time
     */
    public static SlowFile over(Path path, long size, int atOnce) throws IOException {
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
        return new SlowFile(path, size, device, atOnce);
    }

    /** Returns the content of a part, in whole words. */
    public static byte[] content(long offset, int length) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[length]);
        fill(bytes, offset);
        return bytes.toArray(JAVA_BYTE);
    }

    private static void fill(MemorySegment bytes, long offset) {
        for (long at = 0; at < bytes.byteSize(); at += Long.BYTES) {
            bytes.set(JAVA_LONG_UNALIGNED, at, ((offset + at) / Long.BYTES + 1) * FACTOR);
        }
    }

    /** Returns when so many reads wait. */
    public void awaitReads(int count) throws IOException {
        if (!queue.awaitWaiting(count)) {
            throw new IOException("nobody reads the slow file");
        }
    }

    /** Releases one read, the next one if none waits. */
    public void letGo() {
        queue.letOneGo();
    }

    /** From now on a read waits until it is released. */
    public void hold() {
        queue.setDelay(FOREVER);
    }

    /** From now on a read waits for that time. This includes reads that wait already. */
    public void delay(Duration time) {
        queue.setDelay(time);
    }

    /** Reads that wait for their time, or for their release. */
    private static final class Queue {
        private long delayNanos = FOREVER.toNanos();
        private int waiting;
        private int letGo;

        synchronized void pass() {
            long since = System.nanoTime();
            waiting++;
            notifyAll();
            while (letGo == 0 && System.nanoTime() - since < delayNanos) {
                pause(delayNanos - (System.nanoTime() - since));
            }
            waiting--;
            letGo = Math.max(0, letGo - 1);
        }

        synchronized boolean awaitWaiting(int count) {
            long since = System.nanoTime();
            long left = LIMIT.toNanos();
            while (waiting - letGo < count && left > 0) {
                pause(left);
                left = LIMIT.toNanos() - (System.nanoTime() - since);
            }
            return left > 0;
        }

        synchronized void letOneGo() {
            letGo++;
            notifyAll();
        }

        synchronized void setDelay(Duration time) {
            delayNanos = time.toNanos();
            notifyAll();
        }

        private void pause(long nanos) {
            try {
                TimeUnit.NANOSECONDS.timedWait(this, Math.max(1, nanos));
            } catch (InterruptedException e) {
                throw new IllegalStateException("nobody interrupts these threads", e);
            }
        }
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
            // It is not mounted any more.
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
        queue.pass();
        // Whole words: a program that searches for the smallest readable size requests less.
        fill(answer.asSlice(ANSWER_HEADER, length + Long.BYTES - 1 & -Long.BYTES), offset);
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
        // A waiting read would occupy a server.
        delay(Duration.ZERO);
        try {
            C.UNMOUNT.of(path.toString(), DETACH);
        } finally {
            C.CLOSE.of(device);
        }
    }
}
