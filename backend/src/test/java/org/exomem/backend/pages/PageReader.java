package org.exomem.backend.pages;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.MessageSocket;
import org.exomem.linux.Poll;
import org.exomem.linux.SharedFile;
import org.exomem.linux.UnixSockets;

/** A VMM's side of spec/pages.md, written from the text, without the classes that write. */
final class PageReader implements AutoCloseable {
    private static final VarHandle LONG = JAVA_LONG.varHandle();
    private static final VarHandle BYTE = JAVA_BYTE.varHandle();
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private final MessageSocket socket;
    private final SharedFile file;
    private final Mapping mapping;
    private final MemorySegment memory;
    private final EventFd changed;
    private long wanted;

    /** Takes the connection and the file from exomem, which has the path of the listening socket. */
    PageReader(Fd listening) throws IOException {
        if (!Poll.readable(listening, LIMIT)) {
            throw new IOException("nobody connects");
        }
        socket = new MessageSocket(Objects.requireNonNull(UnixSockets.accept(listening)));
        List<Fd> fds = new ArrayList<>();
        MemorySegment greeting = Arena.ofAuto().allocate(64, 8);
        if (!Poll.readable(socket.fd(), LIMIT) || socket.receive(greeting, fds) != 16 || fds.size() != 2) {
            throw new IOException("no greeting with two descriptors");
        }
        file = new SharedFile(fds.get(0));
        changed = Objects.requireNonNull(EventFd.adopt(fds.get(1)));
        mapping = Mapping.of(file, 0, file.size());
        memory = mapping.segment();
        if (!new String(memory.asSlice(0, 8).toArray(JAVA_BYTE), StandardCharsets.US_ASCII).equals("exmPAGES")
                || memory.asSlice(0, 12).mismatch(greeting.asSlice(0, 12)) != -1
                || memory.get(JAVA_INT, 8) != 1
                || memory.get(JAVA_INT, 24) != 4096) {
            throw new IOException("not the file that is described");
        }
    }

    long pages() {
        return memory.get(JAVA_LONG, 16);
    }

    int session() {
        return memory.get(JAVA_INT, 28);
    }

    long losses() {
        return memory.get(JAVA_LONG, 40);
    }

    boolean isFree(long page) {
        byte bits = (byte) BYTE.getVolatile(memory, memory.get(JAVA_INT, 12) + page / 8);
        return (bits >>> page % 8 & 1) != 0;
    }

    boolean isFree(long address, long length) {
        for (long page = address / 4096; page < (address + length) / 4096; page++) {
            if (!isFree(page)) {
                return false;
            }
        }
        return true;
    }

    boolean isAnyFree(long address, long length) {
        for (long page = address / 4096; page < (address + length) / 4096; page++) {
            if (isFree(page)) {
                return true;
            }
        }
        return false;
    }

    /** The steps of PAG-USE-2, after a sync. */
    void settle() throws LinuxException {
        wanted++;
        LONG.setRelease(memory, 48, wanted);
        socket.send(Arena.ofAuto().allocate(1), List.of(), 1000);
        long end = System.nanoTime() + LIMIT.toNanos();
        while ((long) LONG.getAcquire(memory, 56) != wanted) {
            if (System.nanoTime() - end > 0) {
                throw new AssertionError("what was wanted is not done");
            }
            awaitChange(LIMIT);
        }
    }

    /** Returns when something has changed, or after {@code limit}. */
    boolean awaitChange(Duration limit) throws LinuxException {
        return Poll.readable(changed.fd(), limit) && changed.drain();
    }

    /** Truncates the shared file, which makes it unusable. */
    void truncate() throws LinuxException {
        file.truncate(0);
    }

    /** True if exomem has closed the connection. */
    boolean isEnded() throws LinuxException {
        return Poll.readable(socket.fd(), LIMIT)
                && socket.receive(Arena.ofAuto().allocate(8), new ArrayList<>()) == 0;
    }

    @Override
    public void close() {
        socket.close();
        mapping.close();
        file.close();
        changed.close();
    }
}
