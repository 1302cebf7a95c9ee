package org.exomem.conformance.fuzz;

import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Reply;
import org.exomem.linux.Errno;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.linux.UnixSockets;

/**
 * Sends control messages to a back-end that are almost valid: valid messages in a wrong order, with changed bits, sizes
 * and descriptors, truncated, joined. The messages of a connection depend only on the seed and the connection's number,
 * so that a failure can be reproduced. After each connection, the back-end must still answer a valid request.
 *
 * <p>Usage: {@code FuzzControlMessages SOCKET [CONNECTIONS [SEED]]}; exit code 1 when the back-end stops answering.
 */
public final class FuzzControlMessages {
    private static final Duration PATIENCE = Duration.ofMinutes(1);
    private static final int MOST_MESSAGES = 24;
    private static final int MOST_FDS = 12;

    private final Path socket;
    private final long seed;
    private long messages;

    /** Fuzzes the back-end that listens on the socket. */
    public FuzzControlMessages(Path socket, long seed) {
        this.socket = socket;
        this.seed = seed;
    }

    public static void main(String[] arguments) throws IOException {
        if (arguments.length < 1 || arguments.length > 3) {
            System.err.println("usage: FuzzControlMessages SOCKET [CONNECTIONS [SEED]]");
            System.exit(2);
        }
        long connections = arguments.length > 1 ? Long.parseLong(arguments[1]) : 100_000;
        long seed = arguments.length > 2 ? Long.parseLong(arguments[2]) : System.nanoTime();
        System.out.println("seed " + seed);
        FuzzControlMessages fuzz = new FuzzControlMessages(Path.of(arguments[0]), seed);
        for (long i = 0; i < connections; i++) {
            try {
                fuzz.connection(i);
                fuzz.assertAlive();
            } catch (IOException e) {
                System.out.println("connection " + i + " of seed " + seed + ": " + e.getMessage());
                System.exit(1);
            }
        }
        System.out.println(connections + " connections, " + fuzz.messages() + " messages: the back-end still runs");
    }

    /** The number of messages that were sent. */
    public long messages() {
        return messages;
    }

    /** Sends the messages of the connection with this number. */
    public void connection(long number) throws IOException {
        SplittableRandom random = new SplittableRandom(seed ^ number * 0x9e3779b97f4a7c15L);
        try (FrontEnd frontEnd = new FrontEnd(UnixSockets.connect(socket), PATIENCE)) {
            Connection connection = frontEnd.connection();
            List<ControlMessage> script = new ArrayList<>();
            if (random.nextInt(4) != 0) {
                script.addAll(ControlMessage.preamble());
            }
            int faithful = script.size();
            int count = 1 + random.nextInt(MOST_MESSAGES);
            for (int i = 0; i < count; i++) {
                script.add(ControlMessage.any(random));
            }
            for (int i = 0; i < script.size(); i++) {
                boolean mutate = i < faithful ? random.nextInt(40) == 0 : random.nextInt(3) == 0;
                send(connection, script.get(i), mutate, random);
                drain(connection);
            }
        } catch (EOFException e) {
            // The back-end may close the connection.
        } catch (LinuxException e) {
            if (e.errno() != Errno.EPIPE && e.errno() != Errno.ECONNRESET) {
                throw e;
            }
        }
    }

    private void send(Connection connection, ControlMessage message, boolean mutate, SplittableRandom random)
            throws IOException {
        int flags = Connection.VERSION | (random.nextBoolean() ? Connection.NEED_REPLY : 0);
        byte[] bytes = Connection.encode(message.request(), flags, message.payload());
        StringBuilder kinds = new StringBuilder(message.fds());
        if (mutate) {
            bytes = mutated(bytes, kinds, random);
        }
        List<Fd> fds = descriptors(bytes.length == 0 ? "" : kinds.toString());
        try {
            connection.sendBytes(bytes, fds);
        } finally {
            fds.forEach(Fd::close);
        }
        messages++;
    }

    private static byte[] mutated(byte[] bytes, StringBuilder kinds, SplittableRandom random) {
        switch (random.nextInt(7)) {
            case 0 -> bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
            case 1 -> bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            case 2 -> {
                int from = Connection.HEADER_SIZE + 8 * random.nextInt(1 + bytes.length / 8);
                byte value = (byte) (random.nextBoolean() ? 0xff : 0);
                Arrays.fill(bytes, Math.min(from, bytes.length), Math.min(from + 8, bytes.length), value);
            }
            case 3 -> {
                return Arrays.copyOf(bytes, random.nextInt(bytes.length));
            }
            case 4 -> {
                return Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(300));
            }
            case 5 -> kinds.setLength(0);
            default -> {
                int more = 1 + random.nextInt(MOST_FDS);
                for (int i = 0; i < more; i++) {
                    kinds.append("mes".charAt(random.nextInt(3)));
                }
            }
        }
        return bytes;
    }

    private static List<Fd> descriptors(String kinds) throws IOException {
        List<Fd> fds = new ArrayList<>();
        for (char kind : kinds.toCharArray()) {
            fds.add(
                    switch (kind) {
                        case 'm' ->
                            SharedFile.memfd("fuzz", ControlMessage.MEMORY).fd();
                        case 'e' -> new EventFd().fd();
                        default -> {
                            List<Fd> pair = UnixSockets.pair();
                            pair.get(1).close();
                            yield pair.getFirst();
                        }
                    });
        }
        return fds;
    }

    /** Discards replies, so that the back-end never waits for this process to read. */
    private static void drain(Connection connection) throws IOException {
        while (connection.awaitReadable(Duration.ZERO)) {
            Reply reply = connection.receive();
            reply.fds().forEach(Fd::close);
        }
    }

    /** Sends a valid request on a new connection. */
    public void assertAlive() throws IOException {
        // A back-end may still be busy with the last connection, and refuse the next one.
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            try (FrontEnd frontEnd = new FrontEnd(UnixSockets.connect(socket), PATIENCE)) {
                frontEnd.getFeatures();
                return;
            } catch (EOFException | LinuxException e) {
                if (System.nanoTime() - end > 0) {
                    throw e;
                }
            }
        }
    }
}
