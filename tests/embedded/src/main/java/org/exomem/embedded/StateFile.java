package org.exomem.embedded;

import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32C;
import java.util.zip.CheckedOutputStream;

/**
 * A file with the state of the stopped guest, without its memory: magic, version, the machine that it belongs to, the
 * program's state, and a CRC32C of all that.
 */
final class StateFile {
    private static final long MAGIC = 0x45584f47_55455354L;
    private static final int VERSION = 1;

    private StateFile() {}

    /**
     * The machine that a state belongs to.
     *
     * @param size of the memory in bytes
     * @param low those of them below the hole
     * @param processors the number of processors
     */
    record Machine(long size, long low, int processors) {}

    static void save(Path path, Machine machine, boolean running, GuestProgram program) throws IOException {
        CRC32C sum = new CRC32C();
        try (OutputStream file = Files.newOutputStream(path);
                DataOutputStream out =
                        new DataOutputStream(new CheckedOutputStream(new BufferedOutputStream(file, 1 << 16), sum))) {
            out.writeLong(MAGIC);
            out.writeInt(VERSION);
            out.writeLong(machine.size);
            out.writeLong(machine.low);
            out.writeInt(machine.processors);
            out.writeBoolean(running);
            program.save(out);
            out.writeInt((int) sum.getValue());
        }
    }

    /**
     * Loads into a program what another has saved.
     *
     * @return whether the other program ran
     * @throws IOException if the file is damaged or of another machine
     */
    static boolean load(Path path, Machine machine, GuestProgram program) throws IOException {
        byte[] state = Files.readAllBytes(path);
        if (state.length < Integer.BYTES) {
            throw new IOException(path + " is truncated");
        }
        CRC32C sum = new CRC32C();
        sum.update(state, 0, state.length - Integer.BYTES);
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(state))) {
            if (in.readLong() != MAGIC || in.readInt() != VERSION) {
                throw new IOException(path + " is not a guest's state of this version");
            }
            if (ByteBuffer.wrap(state).getInt(state.length - Integer.BYTES) != (int) sum.getValue()) {
                throw new IOException(path + " is damaged: its checksum is wrong");
            }
            Machine saved = new Machine(in.readLong(), in.readLong(), in.readInt());
            if (!saved.equals(machine)) {
                throw new IOException(path + " belongs to another machine: " + saved + ", not " + machine);
            }
            boolean running = in.readBoolean();
            program.load(in);
            return running;
        }
    }
}
