package org.exomem.fuzz;

import java.io.File;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.exomem.balloon.BalloonOptions;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.linux.Errno;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.MessageSocket;
import org.exomem.linux.PipeEnd;
import org.exomem.linux.Poll;
import org.exomem.linux.SharedFile;
import org.exomem.linux.UnixSockets;
import org.exomem.mem.KeptBlocks;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.mem.VirtioMem;
import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.EndpointListener;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.FaultKind;
import org.exomem.vhostuser.backend.VhostUserDevice;
import org.exomem.vhostuser.memory.MemoryRegion;

/**
 * A whole session over a real socket. The front-end sends what the input says, in any order, with any descriptors. Its
 * driver writes into the shared memory meanwhile.
 *
 * <p>Properties: no input causes a fault of exomem itself. Each request gets its reply, or the connection ends. Replies
 * are well-formed and answer requests that were sent. The session ends when its front-end disconnects, and no
 * descriptor remains open.
 */
public final class SessionFuzz implements EndpointListener {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final long MEMORY_BYTES = 1 << 20;
    private static final long USER = MEMORY_BYTES;
    private static final int RING_SIZE = 16;
    private static final int GET_PROTOCOL_FEATURES = 15;
    private static final long PROTOCOL_FEATURES = 0x0029_b70bL;
    private static final long FEATURES = 1L << 30 | 1L << 32;
    private static final int MOST_MESSAGES = 64;

    private static final EventLoop LOOP = new EventLoop("fuzz");
    private static final SharedFile MEMORY = memory();
    private static final MemorySegment MAPPED = mapped();
    private static final EventFd NOTIFIER = notifier();
    private static final MemorySegment BUFFER = Arena.global().allocate(1 << 13, 8);

    private final Input input;
    private final ConcurrentLinkedQueue<String> faults = new ConcurrentLinkedQueue<>();
    private final CountDownLatch over = new CountDownLatch(1);
    private final List<Integer> sent = new ArrayList<>();
    /** True if the stream is not in the middle of a message. */
    private boolean whole = true;

    private SessionFuzz(Input input) {
        this.input = input;
    }

    private static SharedFile memory() {
        try {
            return SharedFile.memfd("fuzz", MEMORY_BYTES);
        } catch (LinuxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static MemorySegment mapped() {
        try {
            SharedFile same = new SharedFile(MEMORY.fd().duplicate());
            return MemoryRegion.map(0, MEMORY_BYTES, 0, 0, same).segment();
        } catch (LinuxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static EventFd notifier() {
        try {
            return new EventFd();
        } catch (LinuxException e) {
            throw new IllegalStateException(e);
        }
    }

    public static void fuzzerTestOneInput(byte[] bytes) throws LinuxException, InterruptedException {
        int before = openFiles();
        new SessionFuzz(new Input(bytes)).run();
        // Other threads of the JVM also open files for a short time. A leak is there each time.
        for (int i = 0; openFiles() > before; i++) {
            if (i == 5) {
                throw new BrokenRule("a session leaves descriptors open");
            }
            before = openFiles();
            new SessionFuzz(new Input(bytes)).run();
        }
    }

    private static int openFiles() {
        String[] names = new File("/proc/self/fd").list();
        return names == null ? 0 : names.length;
    }

    private void run() throws LinuxException, InterruptedException {
        int how = input.u8();
        MEMORY.punchHole(0, MEMORY_BYTES);
        List<Fd> pair = UnixSockets.pair();
        VhostUserDevice device = (how & 1) == 0
                ? new VirtioBalloon(BalloonOptions.defaults(), new Listeners(), new PageFeed(), LOOP)
                : new VirtioMem(
                        KeptBlocks.ofHeap(new MemoryRegionPlan(8 << 20, 8 << 20, 1 << 20, OptionalInt.empty())),
                        false,
                        4 << 20,
                        new Listeners());
        try (MessageSocket socket = new MessageSocket(pair.getFirst());
                Endpoint _ = Endpoint.inherit(pair.getLast(), device, LOOP, this)) {
            try {
                talk(socket, how);
            } catch (LinuxException e) {
                if (e.errno() != Errno.EPIPE && e.errno() != Errno.ECONNRESET) {
                    throw e;
                }
            }
            hear(socket);
            socket.shutdown();
            BrokenRule.unless(
                    over.await(PATIENCE.toSeconds(), TimeUnit.SECONDS), "a session does not end with its front-end");
        }
        for (String fault : faults) {
            if (fault.contains("internal error of exomem")) {
                throw new BrokenRule(fault);
            }
        }
    }

    // The front-end.

    private void talk(MessageSocket socket, int how) throws LinuxException {
        if ((how & 2) == 0) {
            send(socket, 16, 1 | 8, u64(PROTOCOL_FEATURES), "");
            send(socket, 3, 1, new byte[0], "");
            send(socket, 2, 1, u64(FEATURES | ((how & 4) != 0 ? 1L << 34 : 0) | (how >>> 4 & 0x3)), "");
            send(socket, 37, 1, region(0), "m");
            start(socket, 0);
        }
        for (int i = 0; i < MOST_MESSAGES && !input.isAtEnd() && whole; i++) {
            step(socket, input.u8());
        }
        if (whole) {
            // Requests that are answered regardless of the negotiated features. Their answers show that everything
            // before was read.
            send(socket, GET_PROTOCOL_FEATURES, 1, new byte[0], "");
        }
    }

    private void start(MessageSocket socket, int queue) throws LinuxException {
        send(socket, 8, 1, ring(queue, RING_SIZE), "");
        send(socket, 10, 1, ring(queue, 0), "");
        send(socket, 9, 1, addresses(queue, 0), "");
        send(socket, 13, 1, u64(queue), "e");
        send(socket, 12, 1, u64(queue), "e");
        send(socket, 18, 1, ring(queue, 1), "");
    }

    private void step(MessageSocket socket, int op) throws LinuxException {
        switch (op) {
            case 0xf0 -> start(socket, input.u8() & 7);
            case 0xf1 -> write();
            case 0xf2 -> NOTIFIER.signal();
            case 0xf3 -> makeAvailable();
            default -> message(socket, op & 0x3f);
        }
    }

    /** The driver writes bytes anywhere into the first pages. */
    private void write() {
        int at = input.u16();
        byte[] bytes = input.take(input.u8() & 0x3f);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, MAPPED, at, bytes.length);
    }

    /** The driver makes a chain of one or two buffers available. */
    private void makeAvailable() {
        long ring = 8192L * (input.u8() & 7);
        ByteBuffer memory = MAPPED.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
        int how = input.u8();
        int index = memory.getShort((int) ring + 2048 + 2) & 0xffff;
        int slot = 2 * index % RING_SIZE;
        for (int i = 0; i < 2; i++) {
            int at = (int) ring + 16 * (slot + i);
            memory.putLong(at, 0x20000 + input.u8() * 64L);
            memory.putInt(at + 8, input.u8());
            memory.putShort(at + 12, (short) (i == 0 ? how & 3 : how >>> 2 & 2));
            memory.putShort(at + 14, (short) (slot + 1));
        }
        memory.putShort((int) ring + 2048 + 4 + 2 * (index % RING_SIZE), (short) slot);
        memory.putShort((int) ring + 2048 + 2, (short) (index + 1));
        NOTIFIER.signal();
    }

    private void message(MessageSocket socket, int number) throws LinuxException {
        int how = input.u8();
        String fds = FDS[how & 7];
        int flags = 1 | (how & 8);
        byte[] payload = (how & 16) != 0 ? input.take(input.u8()) : payload(number, fds.length());
        if ((how & 32) != 0) {
            flags = input.u8();
        }
        if ((how & 64) != 0 && payload.length > 0) {
            payload[input.u8() % payload.length] ^= (byte) input.u8();
        }
        int size = (how & 128) != 0 ? input.u16() : payload.length;
        send(socket, number, flags, size, payload, fds);
    }

    /** m memory, e eventfd, s socket, p pipe whose other end is closed, u memory of size 0. */
    private static final String[] FDS = {"", "m", "e", "s", "p", "mm", "emspe", ""};

    private byte[] payload(int number, int fds) {
        return switch (number) {
            case 2 -> u64(FEATURES ^ bit() ^ bit());
            case 16 -> u64(PROTOCOL_FEATURES & ~bit());
            case 39 -> u64(input.u8());
            case 5 -> table(fds);
            case 6 -> log();
            case 8, 10, 11, 18, 23, 35 -> ring(input.u8() & 7, input.u16());
            case 9 -> addresses(input.u8() & 7, input.u8());
            case 12, 13, 14 -> u64((input.u8() & 7) | (fds == 0 ? 0x100 : 0));
            case 24, 25 -> config();
            case 31 -> inflight(0, 0);
            case 32 -> inflight(1 << 14, input.u8() * 64L);
            case 37, 38 -> region(input.u8());
            case 42 -> ring(input.u8() & 1, input.u8() & 3);
            default -> new byte[0];
        };
    }

    private long bit() {
        int bit = input.u8();
        return bit < 64 ? 1L << bit : 0;
    }

    private static ByteBuffer bytes(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.nativeOrder());
    }

    private static byte[] u64(long value) {
        return bytes(8).putLong(value).array();
    }

    private static byte[] ring(int index, int number) {
        return bytes(8).putInt(index).putInt(number).array();
    }

    private byte[] table(int fds) {
        byte[] table = new byte[8 + 32 * fds];
        table[0] = (byte) fds;
        for (int i = 0; i < fds; i++) {
            System.arraycopy(region(input.u8()), 8, table, 8 + 32 * i, 32);
        }
        return table;
    }

    private static byte[] region(int which) {
        long at = (which & 0xf) * MEMORY_BYTES;
        long size = (which & 0x10) == 0 ? MEMORY_BYTES : 1 << 16;
        long offset = (which & 0x20) == 0 ? 0 : 1 << 16;
        return bytes(40)
                .putLong(0)
                .putLong(at)
                .putLong(size)
                .putLong(USER + at)
                .putLong(offset)
                .array();
    }

    private static byte[] addresses(int index, int how) {
        long at = USER + 8192L * index + (how & 0xf0) * 4096L;
        return bytes(40)
                .putInt(index)
                .putInt(how & 1)
                .putLong(at)
                .putLong(at + 4096)
                .putLong(at + 2048)
                .putLong(4096)
                .array();
    }

    private byte[] log() {
        return bytes(16).putLong(input.u16()).putLong(input.u16()).array();
    }

    private byte[] config() {
        int offset = input.u8() & 0x3f;
        byte[] data = new byte[1 + (input.u8() & 0x1f)];
        byte[] given = input.take(data.length);
        System.arraycopy(given, 0, data, 0, given.length);
        return bytes(12 + data.length)
                .putInt(offset)
                .putInt(data.length)
                .putInt(0)
                .put(data)
                .array();
    }

    private byte[] inflight(long size, long offset) {
        return bytes(20)
                .putLong(size)
                .putLong(offset)
                .putShort((short) (input.u8() & 7))
                .putShort((short) (input.u8() & 0x1f))
                .array();
    }

    private void send(MessageSocket socket, int number, int flags, byte[] payload, String fds) throws LinuxException {
        send(socket, number, flags, payload.length, payload, fds);
    }

    private void send(MessageSocket socket, int number, int flags, int size, byte[] payload, String kinds)
            throws LinuxException {
        sent.add(number);
        // If the header announces more, the rest of the message never comes, or the next message is taken for it.
        whole &= size <= payload.length;
        MemorySegment message = BUFFER.asSlice(0, 12 + payload.length);
        message.asByteBuffer()
                .order(ByteOrder.nativeOrder())
                .putInt(number)
                .putInt(flags)
                .putInt(size)
                .put(payload);
        if (size < payload.length) {
            // The rest begins the next message, which is probably invalid.
            whole = false;
        }
        List<Fd> fds = new ArrayList<>();
        try {
            for (int i = 0; i < kinds.length(); i++) {
                fds.add(descriptor(kinds.charAt(i)));
            }
            socket.send(message, fds, (int) PATIENCE.toMillis());
        } finally {
            fds.forEach(Fd::close);
        }
    }

    private static Fd descriptor(char kind) throws LinuxException {
        return switch (kind) {
            case 'm' -> MEMORY.fd().duplicate();
            case 'e' -> NOTIFIER.fd().duplicate();
            case 's' -> {
                List<Fd> pair = UnixSockets.pair();
                pair.getLast().close();
                yield pair.getFirst();
            }
            default -> {
                PipeEnd.Pipe pipe = PipeEnd.pipe();
                pipe.writeEnd().close();
                yield pipe.readEnd();
            }
        };
    }

    /** Reads all replies, up to the last one or to the connection's end. */
    private void hear(MessageSocket socket) throws LinuxException {
        long wanted =
                sent.stream().filter(number -> number == GET_PROTOCOL_FEATURES).count();
        int replies = 0;
        while (whole && wanted > 0) {
            if (!read(socket, 0, 12)) {
                return;
            }
            ByteBuffer header = BUFFER.asByteBuffer().order(ByteOrder.nativeOrder());
            int number = header.getInt(0);
            int size = header.getInt(8);
            BrokenRule.unlessEqual(header.getInt(4) & 7, 5, "the flags of a reply");
            BrokenRule.unless(sent.contains(number), "a reply answers nothing that was sent");
            BrokenRule.unless(size >= 0 && size <= 4096, "a reply has an impossible size");
            BrokenRule.unless(++replies <= sent.size(), "there are more replies than requests");
            if (size > 0 && !read(socket, 12, size)) {
                return;
            }
            if (number == GET_PROTOCOL_FEATURES) {
                wanted--;
            }
        }
    }

    /** Returns false if the connection has ended. */
    private static boolean read(MessageSocket socket, long from, long length) throws LinuxException {
        long at = from;
        List<Fd> fds = new ArrayList<>();
        try {
            while (at < from + length) {
                BrokenRule.unless(Poll.readable(socket.fd(), PATIENCE), "a back-end neither answers nor ends");
                int received = socket.receive(BUFFER.asSlice(at, from + length - at), fds);
                if (received == 0) {
                    return false;
                }
                at += Math.max(0, received);
            }
            return true;
        } catch (LinuxException e) {
            if (e.errno() == Errno.ECONNRESET) {
                return false;
            }
            throw e;
        } finally {
            fds.forEach(Fd::close);
        }
    }

    @Override
    public void connected() {}

    @Override
    public void disconnected(String reason) {
        over.countDown();
    }

    @Override
    public void fault(FaultKind kind, String message) {
        faults.add(message);
    }
}
