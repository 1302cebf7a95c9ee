package org.exomem.fuzz;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.zip.CRC32C;
import org.exomem.backend.state.BalloonStateFile;
import org.exomem.backend.state.MemoryStateFile;
import org.exomem.backend.state.StateDirectory;
import org.exomem.backend.state.StateFileException;
import org.exomem.balloon.BalloonOptions;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.mem.VirtioMem;
import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.backend.DeviceState;
import org.exomem.vhostuser.backend.DeviceStateException;
import org.exomem.vhostuser.backend.EventLoop;

/**
 * State files. An input gives the device's file, whether the header's checksum is corrected, and the changes to a valid
 * file: offsets, and the new bytes.
 *
 * <p>Properties: a file may be refused with a reason, and is then unchanged. Or it is accepted: then the device's
 * numbers are possible, and the next process that opens the file finds the same state.
 */
public final class StateFuzz {
    private static final int HEADER = 4096;
    private static final int CHECKSUM_AT = 12;
    private static final MemoryRegionPlan PLAN = new MemoryRegionPlan(1L << 32, 512L << 20, 1 << 20, OptionalInt.of(1));
    private static final Path FOLDER = folder();
    private static final StateDirectory DIRECTORY = new StateDirectory(FOLDER);
    private static final EventLoop LOOP = new EventLoop("fuzz");
    private static final Path MEMORY_FILE = FOLDER.resolve("vm.dimm.mem.state");
    private static final Path BALLOON_FILE = FOLDER.resolve("vm.balloon.state");
    private static final byte[] MEMORY = good(MEMORY_FILE, StateFuzz::memory);
    private static final byte[] BALLOON = good(BALLOON_FILE, StateFuzz::balloon);

    /** Opens a file, and returns the state that a device finds in it. */
    private interface Opening {
        byte[] open() throws IOException;
    }

    private StateFuzz() {}

    private static Path folder() {
        try {
            Path shared = Path.of("/dev/shm");
            Path folder = Files.isWritable(shared)
                    ? Files.createTempDirectory(shared, "exomem-fuzz")
                    : Files.createTempDirectory("exomem-fuzz");
            Runtime.getRuntime().addShutdownHook(new Thread(() -> remove(folder)));
            return folder;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void remove(Path folder) {
        try {
            Files.deleteIfExists(MEMORY_FILE);
            Files.deleteIfExists(BALLOON_FILE);
            Files.deleteIfExists(folder);
        } catch (IOException e) {
            System.err.println("can't be removed: " + e.getMessage());
        }
    }

    /** A file as a process leaves it, with some content. */
    private static byte[] good(Path file, Opening opening) {
        try {
            opening.open();
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] memory() throws IOException {
        try (MemoryStateFile file = DIRECTORY.memory("vm", "dimm", PLAN)) {
            boolean fresh = file.isNew();
            VirtioMem device = new VirtioMem(file.kept(), false, 64 << 20, new Listeners());
            if (fresh) {
                load(device.state(), state -> {
                    state.putLong(48, 3).putLong(56, 1).putLong(64, 7);
                });
            }
            BrokenRule.unless(
                    device.pluggedSize() >= 0
                            && device.pluggedSize() <= device.usableSize()
                            && device.usableSize() <= PLAN.size()
                            && device.requestedSize() >= 0
                            && device.requestedSize() <= device.usableSize(),
                    "the sizes of a device contradict each other");
            return save(device.state());
        }
    }

    private static byte[] balloon() throws IOException {
        try (BalloonStateFile file = DIRECTORY.balloon("vm", what -> {})) {
            VirtioBalloon device =
                    new VirtioBalloon(BalloonOptions.defaults(), file.kept(), new Listeners(), new PageFeed(), LOOP);
            if (file.isNew()) {
                device.setNumPages(1000);
                file.keepSize(123 << 20);
                BalloonFuzz.inflateSome(device);
            }
            BrokenRule.unless(device.pagesInBalloon() >= 0, "a balloon has fewer pages than none");
            byte[] saved = save(device.state());
            long size = file.size().orElse(-1);
            return ByteBuffer.allocate(saved.length + 24)
                    .put(saved)
                    .putLong(size)
                    .putLong(device.numPages())
                    .putLong(device.actual())
                    .array();
        }
    }

    private interface Change {
        void change(ByteBuffer state);
    }

    private static void load(DeviceState state, Change change) {
        byte[] bytes = save(state);
        change.change(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN));
        try {
            state.load(MemorySegment.ofArray(bytes));
        } catch (DeviceStateException e) {
            throw new IllegalStateException(e);
        }
    }

    private static byte[] save(DeviceState state) {
        try {
            return state.save().toArray(JAVA_BYTE);
        } catch (DeviceStateException e) {
            throw new BrokenRule("a device that was opened has no state", e);
        }
    }

    public static void fuzzerTestOneInput(byte[] bytes) throws IOException {
        Input input = new Input(bytes);
        int how = input.u8();
        if ((how & 1) == 0) {
            check(MEMORY_FILE, bend(MEMORY, how, input), StateFuzz::memory);
        } else {
            check(BALLOON_FILE, bend(BALLOON, how, input), StateFuzz::balloon);
        }
    }

    private static byte[] bend(byte[] good, int how, Input input) {
        byte[] bent = good.clone();
        if ((how & 2) != 0) {
            bent = Arrays.copyOf(bent, input.i32() & 0x1ffff);
        }
        while (!input.isAtEnd()) {
            int place = input.u8();
            // The header, what follows it, and the place of a balloon's first pages; a long offset reaches other
            // places.
            int at = switch (place & 3) {
                case 0 -> HEADER + input.u8();
                case 1 -> input.u16() % HEADER;
                case 2 -> 2 * HEADER + input.u16() % HEADER;
                default -> input.i32() & 0xffff;
            };
            byte[] piece = input.take(1 + (place >>> 2) % 16);
            for (int i = 0; i < piece.length && at + i < bent.length; i++) {
                bent[at + i] = piece[i];
            }
        }
        if ((how & 4) != 0 && bent.length >= HEADER) {
            ByteBuffer header = ByteBuffer.wrap(bent).order(ByteOrder.LITTLE_ENDIAN);
            header.putInt(CHECKSUM_AT, 0);
            CRC32C crc = new CRC32C();
            crc.update(bent, 0, HEADER);
            header.putInt(CHECKSUM_AT, (int) crc.getValue());
        }
        return bent;
    }

    private static void check(Path file, byte[] content, Opening opening) throws IOException {
        Files.write(file, content);
        byte[] found;
        try {
            found = opening.open();
        } catch (StateFileException e) {
            BrokenRule.unless(
                    e.getMessage() != null && e.getMessage().contains(file.toString()), "a refusal names no file");
            BrokenRule.unless(Arrays.equals(Files.readAllBytes(file), content), "a file was refused, and changed");
            return;
        }
        try {
            BrokenRule.unless(Arrays.equals(opening.open(), found), "the next process finds another state");
        } catch (StateFileException e) {
            throw new BrokenRule("a file was taken, and then refused", e);
        }
    }
}
