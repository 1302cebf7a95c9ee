package org.exomem.conformance.fuzz;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.zip.CRC32C;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.RequestRefusedException;

/**
 * Loads states into a device that are almost valid: with changed bits, numbers and lengths, truncated, joined, half of
 * them with a correct checksum. After each state the device must answer, and must save a state that it would load
 * itself. The states depend only on the seed and their number.
 *
 * <p>Usage: {@code FuzzDeviceState SOCKET [STATES [SEED]]}; exit code 1 when the back-end stops answering.
 */
public final class FuzzDeviceState {
    private static final int HEADER = 32;
    private static final int LENGTH_AT = 16;
    private static final int CHECKSUM_AT = 24;
    private static final int MOST_CHANGES = 6;

    private final Path socket;
    private final long seed;
    private long accepted;

    /** Fuzzes the device that listens on the socket. It must support the transfer of its state. */
    public FuzzDeviceState(Path socket, long seed) {
        this.socket = socket;
        this.seed = seed;
    }

    public static void main(String[] arguments) throws IOException {
        if (arguments.length < 1 || arguments.length > 3) {
            System.err.println("usage: FuzzDeviceState SOCKET [STATES [SEED]]");
            System.exit(2);
        }
        long states = arguments.length > 1 ? Long.parseLong(arguments[1]) : 100_000;
        long seed = arguments.length > 2 ? Long.parseLong(arguments[2]) : System.nanoTime();
        System.out.println("seed " + seed);
        FuzzDeviceState fuzz = new FuzzDeviceState(Path.of(arguments[0]), seed);
        try {
            fuzz.load(0, states);
        } catch (IOException e) {
            System.out.println("seed " + seed + ": " + e.getMessage());
            System.exit(1);
        }
        System.out.println(states + " states, " + fuzz.accepted() + " of them accepted: the back-end still runs");
    }

    /** The number of states that the device accepted. */
    public long accepted() {
        return accepted;
    }

    /** Loads the states with these numbers, on one connection. */
    public void load(long first, long count) throws IOException {
        try (FrontEnd frontEnd = FrontEnd.connect(socket)) {
            frontEnd.setProtocolFeatures(
                    frontEnd.getProtocolFeatures() & (Protocol.REPLY_ACK | Protocol.CONFIG | Protocol.DEVICE_STATE));
            frontEnd.setFeatures(Features.VERSION_1 | Features.PROTOCOL_FEATURES);
            for (long number = first; number < first + count; number++) {
                load(frontEnd, number);
            }
        } catch (IOException e) {
            throw new IOException("state " + first + " to " + (first + count) + ": " + e.getMessage(), e);
        }
    }

    private void load(FrontEnd frontEnd, long number) throws IOException {
        SplittableRandom random = new SplittableRandom(seed ^ number * 0x9e3779b97f4a7c15L);
        byte[] good = frontEnd.saveDeviceState();
        byte[] bent = bend(good, random);
        try {
            frontEnd.loadDeviceState(bent);
            accepted++;
        } catch (RequestRefusedException | EOFException e) {
            // The state was refused, so nothing may have changed.
            if (!Arrays.equals(frontEnd.saveDeviceState(), good)) {
                throw new IOException("state " + number + " was refused, but changed the device", e);
            }
            return;
        }
        byte[] now = frontEnd.saveDeviceState();
        frontEnd.loadDeviceState(now);
        if (!Arrays.equals(frontEnd.saveDeviceState(), now)) {
            throw new IOException(
                    "the device's state after it loaded state " + number + " changes when it is loaded again");
        }
    }

    private static byte[] bend(byte[] good, SplittableRandom random) {
        byte[] bent = good.clone();
        int changes = 1 + random.nextInt(MOST_CHANGES);
        for (int i = 0; i < changes; i++) {
            bent = change(bent, random);
        }
        if (random.nextBoolean() && bent.length >= HEADER) {
            ByteBuffer bytes = ByteBuffer.wrap(bent).order(ByteOrder.LITTLE_ENDIAN);
            if (random.nextInt(4) != 0) {
                bytes.putLong(LENGTH_AT, bent.length - HEADER);
            }
            bytes.putInt(CHECKSUM_AT, 0);
            CRC32C crc = new CRC32C();
            crc.update(bent);
            bytes.putInt(CHECKSUM_AT, (int) crc.getValue());
        }
        return bent;
    }

    private static byte[] change(byte[] bytes, SplittableRandom random) {
        if (bytes.length == 0) {
            return bytes;
        }
        // Usually near the front, where the numbers are.
        int at = random.nextInt(random.nextInt(4) == 0 ? bytes.length : Math.min(bytes.length, HEADER + 80));
        switch (random.nextInt(12)) {
            case 0 -> {
                return Arrays.copyOf(bytes, at);
            }
            case 1 -> {
                return Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(70_000));
            }
            case 2, 3 -> Arrays.fill(bytes, at, Math.min(at + 8, bytes.length), (byte) random.nextInt(-1, 1));
            case 4, 5, 6 -> bytes[at] = (byte) random.nextInt();
            default -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        }
        return bytes;
    }
}
