package org.exomem.backend.state;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.exomem.vhostuser.backend.DeviceState;
import org.exomem.vhostuser.backend.DeviceStateException;

/**
 * Opens state files that are almost valid: with changed bits, numbers and lengths. Each must either be refused and
 * remain unchanged, or be read with its former meaning, if the change has no effect. The files depend only on the seed
 * and their number.
 */
final class FuzzStateFiles {
    /** A use of a file. */
    interface Opening {
        /** Opens the file in a device, passes the device to the reader, and closes the file again. */
        void open(Reader reader) throws IOException;
    }

    /** Examines a device while its file is open. */
    interface Reader {
        void read(DeviceState state);
    }

    private static final int MOST_CHANGES = 4;

    private final Path file;
    private final Opening opening;
    private final long seed;
    private final byte[] good;
    private final byte[] state;
    private long accepted;

    /** @param file a valid one */
    FuzzStateFiles(Path file, Opening opening, long seed) throws IOException {
        this.file = file;
        this.opening = opening;
        this.seed = seed;
        this.good = Files.readAllBytes(file);
        this.state = state();
    }

    /** The number of files that were accepted. */
    long accepted() {
        return accepted;
    }

    void open(long number) throws IOException {
        byte[] bent = bend(new SplittableRandom(seed ^ number * 0x9e3779b97f4a7c15L));
        Files.write(file, bent);
        byte[] found;
        try {
            found = state();
        } catch (StateFileException e) {
            if (!Arrays.equals(Files.readAllBytes(file), bent)) {
                throw new IOException("file " + number + " was refused, and changed", e);
            }
            return;
        }
        accepted++;
        if (!Arrays.equals(found, state)) {
            throw new IOException("file " + number + " was taken for something else than it is");
        }
    }

    private byte[] state() throws IOException {
        byte[][] read = new byte[1][];
        opening.open(device -> {
            try {
                MemorySegment saved = device.save();
                read[0] = saved.toArray(JAVA_BYTE);
            } catch (DeviceStateException e) {
                throw new IllegalStateException(e);
            }
        });
        return requireNonNull(read[0]);
    }

    private byte[] bend(SplittableRandom random) {
        byte[] bent = good.clone();
        int changes = 1 + random.nextInt(MOST_CHANGES);
        for (int i = 0; i < changes; i++) {
            bent = change(bent, random);
        }
        return bent;
    }

    private static byte[] change(byte[] bytes, SplittableRandom random) {
        if (bytes.length == 0) {
            return bytes;
        }
        int at = place(bytes.length, random);
        switch (random.nextInt(24)) {
            case 0 -> {
                return Arrays.copyOf(bytes, at);
            }
            case 1 -> {
                return Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(9000));
            }
            case 2 -> Arrays.fill(bytes, at, Math.min(bytes.length, at + 4096), (byte) random.nextInt(-1, 1));
            case 3, 4, 5, 6 ->
                Arrays.fill(bytes, at & -8, Math.min(bytes.length, (at & -8) + 8), (byte) random.nextInt(-1, 1));
            case 7, 8, 9, 10 -> bytes[at] = (byte) random.nextInt();
            default -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        }
        return bytes;
    }

    /** Usually where the numbers are: in the header, and at the front of the body and of a balloon's first chunk. */
    private static int place(int length, SplittableRandom random) {
        int from = new int[] {0, 4096, 4096, 4096, 8192, 0}[random.nextInt(6)];
        int most = from == 0 && random.nextBoolean() ? length : from + 512;
        return from >= length ? random.nextInt(length) : from + random.nextInt(Math.min(length, most) - from);
    }
}
