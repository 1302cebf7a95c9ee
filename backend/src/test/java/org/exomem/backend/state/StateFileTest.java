package org.exomem.backend.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.mem.KeptBlocks;
import org.exomem.mem.MemListener;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.mem.VirtioMem;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that are accepted, and files that are refused and not changed (STA-FILE). */
class StateFileTest {
    private static final long MIB = 1 << 20;
    private static final MemoryRegionPlan PLAN = plan(4L << 30, 512 * MIB, 2 * MIB, 1);
    private static final int HEADER = 4096;
    private static final int CHECKSUM = 12;

    @TempDir
    Path folder;

    private StateDirectory state;
    private Path file;

    private static MemoryRegionPlan plan(long address, long size, long blockSize, int node) {
        return new MemoryRegionPlan(address, size, blockSize, node < 0 ? OptionalInt.empty() : OptionalInt.of(node));
    }

    @BeforeEach
    void makeFile() throws IOException {
        state = new StateDirectory(folder.resolve("state"));
        file = folder.resolve("state/vm.dimm.mem.state");
        try (MemoryStateFile first = state.memory("vm", "dimm", PLAN)) {
            assertThat(first.isNew()).isTrue();
            device(first.kept()).request(64 * MIB);
        }
    }

    private static VirtioMem device(KeptBlocks kept) {
        return new VirtioMem(kept, false, 0, new MemListener() {
            @Override
            public void pluggedSizeChanged(long pluggedSize) {}

            @Override
            public void refused(String reason) {}
        });
    }

    private void assertRefused(ThrowingCallable open, String... words) throws IOException {
        byte[] before = Files.readAllBytes(file);
        assertThatThrownBy(open)
                .isInstanceOf(StateFileException.class)
                .hasMessageContaining(file.toString())
                .hasMessageContainingAll(words);
        assertThat(Files.readAllBytes(file)).as("the file is left as it is").isEqualTo(before);
    }

    @Test
    @Tag("STA-MEM-4")
    void whatTheOperatorAskedForIsThereAgainAndGoesBeforeTheConfiguration() throws IOException {
        try (MemoryStateFile second = state.memory("vm", "dimm", PLAN)) {
            assertThat(second.isNew()).isFalse();
            assertThat(second.kept().requestedSize()).isEqualTo(OptionalLong.of(64 * MIB));
            assertThat(device(second.kept()).requestedSize()).isEqualTo(64 * MIB);
        }
        assertThat(Files.list(folder.resolve("state")))
                .as("nothing is left beside it")
                .containsExactly(file);
    }

    @Test
    @Tag("STA-MEM-5")
    void theUsableSizeDoesNotShrinkBecauseAProcessEnded() throws IOException {
        long before;
        try (MemoryStateFile second = state.memory("vm", "dimm", PLAN)) {
            VirtioMem device = device(second.kept());
            device.request(PLAN.size());
            device.request(0);
            before = device.usableSize();
        }
        try (MemoryStateFile third = state.memory("vm", "dimm", PLAN)) {
            assertThat(device(third.kept()).usableSize()).isEqualTo(before).isEqualTo(PLAN.size());
        }
    }

    static Stream<List<Object>> otherPlans() {
        return Stream.of(
                List.of(plan(8L << 30, 512 * MIB, 2 * MIB, 1), "address", "0x100000000", "0x200000000"),
                List.of(plan(4L << 30, 256 * MIB, 2 * MIB, 1), "size", "536870912", "268435456"),
                List.of(plan(4L << 30, 512 * MIB, 4 * MIB, 1), "block size", "2097152", "4194304"),
                List.of(plan(4L << 30, 512 * MIB, 2 * MIB, 2), "node", "1", "2"),
                List.of(plan(4L << 30, 512 * MIB, 2 * MIB, -1), "node", "1", "-1"));
    }

    @ParameterizedTest
    @MethodSource("otherPlans")
    @Tag("STA-FILE-3")
    @Tag("STA-FILE-4")
    void aFileOfADeviceWithOtherParametersIsRefusedWithBothValues(List<Object> other) throws IOException {
        MemoryRegionPlan plan = (MemoryRegionPlan) other.get(0);
        assertRefused(
                () -> state.memory("vm", "dimm", plan),
                "\"" + other.get(1) + "\"",
                "has " + other.get(2),
                "the configuration has " + other.get(3));
    }

    @Test
    @Tag("STA-FILE-3")
    @Tag("STA-FILE-4")
    void aFileOfAnotherVmDeviceOrKindIsRefused() throws IOException {
        Files.copy(file, folder.resolve("state/other.dimm.mem.state"));
        Files.copy(file, folder.resolve("state/vm.m1.mem.state"));
        Files.copy(file, folder.resolve("state/vm.balloon.state"));
        assertThatThrownBy(() -> state.memory("other", "dimm", PLAN))
                .hasMessageContaining("its field \"VM\" has vm, the configuration has other");
        assertThatThrownBy(() -> state.memory("vm", "m1", PLAN))
                .hasMessageContaining("its field \"device\" has dimm, the configuration has m1");
        assertThatThrownBy(() -> state.balloon("vm", reason -> {}))
                .hasMessageContaining("its field \"kind\" has 2, the configuration has 1");
    }

    @Test
    void namesThatCouldLeadElsewhereStayInTheDirectory() throws IOException {
        try (MemoryStateFile strange = state.memory("../vm", ".a/b", PLAN)) {
            assertThat(strange.isNew()).isTrue();
        }
        assertThat(folder.resolve("state/%2E%2E%2Fvm.%2Ea%2Fb.mem.state")).exists();
    }

    @Test
    void noTwoDevicesShareAFile() throws IOException {
        try (MemoryStateFile one = state.memory("a.b", "c", PLAN);
                MemoryStateFile other = state.memory("a", "b.c", PLAN)) {
            assertThat(one.isNew()).isTrue();
            assertThat(other.isNew()).isTrue();
        }
    }

    @Test
    void eachPartOfABalloonsStateIsMappedOnce() throws IOException {
        long numbers = 4096;
        long gibibyte = 36864;
        try (GuestRam ram = GuestRam.withPciHole(64 * MIB, 64 * MIB)) {
            try (BalloonStateFile made = state.balloon("vm", what -> {});
                    ServedBalloon balloon = new ServedBalloon(made, folder.resolve("s"), ram)) {
                balloon.driver.inflate(16 * MIB, 4096);
                balloon.driver.inflate(4L << 30, 4096);
                assertThat(mappedBytes("vm.balloon.state")).isEqualTo(numbers + 2 * gibibyte);
            }
            try (BalloonStateFile _ = state.balloon("vm", what -> {})) {
                assertThat(mappedBytes("vm.balloon.state"))
                        .as("what it was tried on is gone")
                        .isEqualTo(numbers + 2 * gibibyte);
            }
        }
    }

    private static long mappedBytes(String name) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/maps")).stream()
                .filter(line -> line.contains(name))
                .map(line -> line.substring(0, line.indexOf(' ')).split("-", 2))
                .mapToLong(ends -> Long.parseLong(ends[1], 16) - Long.parseLong(ends[0], 16))
                .sum();
    }

    @Test
    @Tag("STA-FILE-2")
    void aFileThatIsInUseIsRefused() throws IOException {
        try (MemoryStateFile first = state.memory("vm", "dimm", PLAN)) {
            assertRefused(() -> state.memory("vm", "dimm", PLAN), "in use", "this process");
            device(first.kept()).request(128 * MIB);
        }
        state.memory("vm", "dimm", PLAN).close();
    }

    @Test
    @Tag("STA-FILE-2")
    void aFileThatAnotherProcessUsesIsRefused() throws IOException {
        StateDirectory shared = new StateDirectory(folder.resolve("shared"));
        try (DevicesProcess _ = new DevicesProcess(shared.path(), folder, 1)) {
            assertThatThrownBy(() -> shared.memory("vm0", "dimm", DevicesProcess.PLAN))
                    .isInstanceOf(StateFileException.class)
                    .hasMessageContaining("in use by another process");
        }
        shared.memory("vm0", "dimm", DevicesProcess.PLAN).close();
    }

    @Test
    @Tag("STA-FILE-1")
    void aFileThatDidNotGetDoneIsNoFile() throws IOException {
        Files.delete(file);
        Files.write(folder.resolve("state/.vm.dimm.mem.state.1.new"), new byte[100]);
        try (MemoryStateFile fresh = state.memory("vm", "dimm", PLAN)) {
            assertThat(fresh.isNew()).isTrue();
        }
        assertThat(Files.list(folder.resolve("state"))).containsExactly(file);
    }

    @Test
    void aFileThatTheOperatorMovedAwayIsNeverTouchedAgain() throws IOException {
        // The state after a process was killed between linking the file to its name and removing the first name.
        Files.createLink(folder.resolve("state/.vm.dimm.mem.state.1.new"), file);
        Path away = folder.resolve("away");
        Files.move(file, away);
        byte[] before = Files.readAllBytes(away);
        try (MemoryStateFile fresh = state.memory("vm", "dimm", PLAN)) {
            device(fresh.kept()).request(2 * MIB);
        }
        assertThat(Files.readAllBytes(away)).isEqualTo(before);
    }

    @Test
    @Tag("STA-FILE-2")
    void oneFileUnderTwoNamesServesOneDevice() throws IOException {
        try (MemoryStateFile _ = state.memory("vm", "dimm", PLAN)) {
            Files.createLink(folder.resolve("state/vm.m1.mem.state"), file);
            assertThatThrownBy(() -> state.memory("vm", "m1", PLAN))
                    .isInstanceOf(StateFileException.class)
                    .hasMessageContaining("in use by another device of this process");
        }
    }

    @Test
    @Tag("STA-FILE-4")
    void whatIsNoPlainFileIsRefusedAndLeftAsItIs() throws IOException {
        Path directory = Files.createDirectory(folder.resolve("state/a.dimm.mem.state"));
        Path nowhere = Files.createSymbolicLink(folder.resolve("state/b.dimm.mem.state"), folder.resolve("nowhere"));
        Path device = Files.createSymbolicLink(folder.resolve("state/c.dimm.mem.state"), Path.of("/dev/zero"));
        Path other = Files.createSymbolicLink(folder.resolve("state/d.dimm.mem.state"), file);
        for (String vm : List.of("a", "b", "c", "d")) {
            assertThatThrownBy(() -> state.memory(vm, "dimm", PLAN))
                    .isInstanceOf(StateFileException.class)
                    .hasMessageContaining(vm + ".dimm.mem.state: it is a directory, a link or a device");
        }
        assertThat(directory).isEmptyDirectory();
        assertThat(nowhere).isSymbolicLink();
        assertThat(folder.resolve("nowhere")).doesNotExist();
        assertThat(device).isSymbolicLink();
        assertThat(other).isSymbolicLink();
    }

    @Test
    void aFileThatMayNotBeWrittenIsRefused() throws IOException {
        assumeFalse(System.getProperty("user.name").equals("root"), "root may write everything");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("r--------"));
        assertRefused(() -> state.memory("vm", "dimm", PLAN), "permission denied");
    }

    @Test
    @Tag("STA-DIR-1")
    void theDirectoryIsMadeForItsOwnerOnlyAndTheFoldersAboveAreNot() throws IOException {
        Path made = folder.resolve("made");
        new StateDirectory(made).memory("vm", "dimm", PLAN).close();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(made)))
                .isEqualTo("rwx------");
        Path misspelt = folder.resolve("no/such");
        assertThatThrownBy(() -> new StateDirectory(misspelt).memory("vm", "dimm", PLAN))
                .isInstanceOf(StateFileException.class)
                .hasMessage("state directory " + misspelt + " can't be used: there is no folder " + folder.resolve("no")
                        + ", and exomem creates only the last folder of the path");
        assertThat(folder.resolve("no")).doesNotExist();
    }

    @Test
    @Tag("STA-DIR-2")
    void aDirectoryThatOthersCanLookIntoIsClosedToThemAndOneOfAnotherUserIsRefused() throws IOException {
        Path open = Files.createDirectory(folder.resolve("open"));
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
        new StateDirectory(open).memory("vm", "dimm", PLAN).close();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(open)))
                .isEqualTo("rwx------");
        assumeTrue(System.getProperty("user.name").equals("root"), "only root may give a folder away");
        Files.setAttribute(open, "unix:uid", 65534);
        assertThatThrownBy(() -> new StateDirectory(open).memory("vm", "dimm", PLAN))
                .isInstanceOf(StateFileException.class)
                .hasMessageContaining("it belongs to another user");
    }

    @Test
    @Tag("STA-DIR-2")
    void aLinkInPlaceOfTheDirectoryIsRefusedAndWhatItNamesStaysAsItIs() throws IOException {
        Path other = Files.createDirectory(folder.resolve("other"));
        Files.setPosixFilePermissions(other, PosixFilePermissions.fromString("rwxr-xr-x"));
        Path link = Files.createSymbolicLink(folder.resolve("link"), other);
        assertThatThrownBy(() -> new StateDirectory(link).memory("vm", "dimm", PLAN))
                .isInstanceOf(StateFileException.class)
                .hasMessageContaining("it is a symbolic link");
        assertThat(other).isEmptyDirectory();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(other)))
                .isEqualTo("rwxr-xr-x");
        Path dangling = Files.createSymbolicLink(folder.resolve("dangling"), folder.resolve("none"));
        assertThatThrownBy(() -> new StateDirectory(dangling).memory("vm", "dimm", PLAN))
                .hasMessageContaining("it is a symbolic link");
        assertThat(folder.resolve("none")).doesNotExist();
    }

    @Test
    @Tag("STA-DIR-3")
    void whatAKilledProcessLeftIsRemovedAtTheNextStartWhosesoeverItIs() throws IOException {
        Path left = folder.resolve("state/.gone.balloon.state." + UUID.randomUUID() + ".new");
        Path beingMade = folder.resolve("state/.busy.balloon.state." + UUID.randomUUID() + ".new");
        Path other = Files.createFile(folder.resolve("state/.precious.new"));
        Files.createFile(left);
        try (FileChannel channel =
                FileChannel.open(beingMade, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            channel.lock();
            state.removeUnfinished();
            assertThat(left).doesNotExist();
            assertThat(beingMade).exists();
            assertThat(other).exists();
        }
    }

    @Test
    void aDirectoryThatIsNoneIsRefused() {
        assertThatThrownBy(() -> new StateDirectory(file).memory("vm", "dimm", PLAN))
                .isInstanceOf(StateFileException.class)
                .hasMessage("state directory " + file + " can't be used: it is not a directory");
        assertThatThrownBy(() -> new StateDirectory(file.resolve("deeper")).memory("vm", "dimm", PLAN))
                .isInstanceOf(StateFileException.class)
                .hasMessageContaining("state directory " + file.resolve("deeper") + " can't be used: ");
        assertThatThrownBy(() -> new StateDirectory(Path.of("/proc/nowhere")).memory("vm", "dimm", PLAN))
                .isInstanceOf(StateFileException.class)
                .hasMessageContaining("state directory /proc/nowhere can't be used: ");
    }

    @RepeatedTest(3)
    @Tag("STA-FILE-2")
    void ofTwoProcessesThatStartTogetherOneServes(RepetitionInfo round) {
        Path shared = folder.resolve("shared" + round.getCurrentRepetition());
        List<CompletableFuture<Optional<DevicesProcess>>> both = Stream.of("one", "two")
                .map(name -> CompletableFuture.supplyAsync(() -> started(shared, folder.resolve(name))))
                .toList();
        List<DevicesProcess> serving = both.stream()
                .map(CompletableFuture::join)
                .flatMap(Optional::stream)
                .toList();
        serving.forEach(DevicesProcess::close);
        assertThat(serving).hasSize(1);
    }

    private static Optional<DevicesProcess> started(Path state, Path sockets) {
        try {
            Files.createDirectories(sockets);
            return Optional.of(new DevicesProcess(state, sockets, 1));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 100, HEADER - 1, HEADER, HEADER + 1, HEADER + 128, HEADER + 200})
    @Tag("STA-FILE-3")
    @Tag("STA-FILE-4")
    void aFileThatWasCutIsRefused(int length) throws IOException {
        Files.write(file, Arrays.copyOf(Files.readAllBytes(file), length));
        assertRefused(() -> state.memory("vm", "dimm", PLAN), "has " + length + " bytes", "damaged");
    }

    @Test
    @Tag("STA-FILE-3")
    @Tag("STA-FILE-4")
    void aFileOfSomebodyElseIsRefused() throws IOException {
        Files.write(file, "#!/bin/sh\n".repeat(2000).getBytes(StandardCharsets.UTF_8));
        assertRefused(() -> state.memory("vm", "dimm", PLAN), "not a state file of exomem");
    }

    @Test
    @Tag("STA-FILE-3")
    @Tag("STA-FILE-4")
    void aFileOfAnotherVersionIsRefused() throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putInt(8, 2).putInt(CHECKSUM, 0);
        CRC32C crc = new CRC32C();
        crc.update(bytes.array(), 0, HEADER);
        bytes.putInt(CHECKSUM, (int) crc.getValue());
        Files.write(file, bytes.array());
        assertRefused(() -> state.memory("vm", "dimm", PLAN), "version is 2", "supports version 1");
    }

    @Test
    @Tag("STA-FILE-3")
    @Tag("STA-FILE-4")
    void noBitOfTheHeaderCanChangeUnseen() throws IOException {
        byte[] good = Files.readAllBytes(file);
        for (int at = 0; at < HEADER; at += 1 + at / 64) {
            byte[] bent = good.clone();
            bent[at] ^= (byte) (1 << at % 8);
            Files.write(file, bent);
            assertRefused(() -> state.memory("vm", "dimm", PLAN), "state file");
        }
    }

    @Test
    @Tag("STA-FILE-3")
    @Tag("STA-FILE-4")
    void noBitOfWhatIsKnownCanChangeUnseen() throws IOException {
        byte[] good = Files.readAllBytes(file);
        int map = HEADER + 128;
        int end = map + 64 + (int) PLAN.blocks() / 8;
        for (int at = HEADER; at < end; at++) {
            boolean number = at < HEADER + 24 || at >= HEADER + 64 && at < HEADER + 64 + 8;
            boolean digestOrWord = at >= map && at < map + 8 || at >= map + 64;
            if (number || digestOrWord) {
                byte[] bent = good.clone();
                bent[at] ^= (byte) (1 << at % 8);
                Files.write(file, bent);
                assertRefused(() -> state.memory("vm", "dimm", PLAN), "damaged");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 8, 16, 64, 128})
    @Tag("STA-ZERO-1")
    void aPartThatWasWipedIsNoNewBeginning(int part) throws IOException {
        byte[] bent = Files.readAllBytes(file);
        Arrays.fill(bent, HEADER + part, HEADER + part + 8, (byte) 0);
        Files.write(file, bent);
        assertRefused(() -> state.memory("vm", "dimm", PLAN), "damaged");
        Arrays.fill(bent, HEADER, bent.length, (byte) 0);
        Files.write(file, bent);
        assertRefused(() -> state.memory("vm", "dimm", PLAN), "damaged");
    }

    @Test
    @Tag("STA-LAST-1")
    void aLastChangeThatCantBeIsRefused() throws IOException {
        byte[] bent = Files.readAllBytes(file);
        bent[HEADER + 64] ^= 1;
        bent[HEADER + 64 + 8] = 1;
        bent[HEADER + 64 + 24] = 5;
        Files.write(file, bent);
        assertRefused(() -> state.memory("vm", "dimm", PLAN), "last change", "damaged");
    }

    @Test
    void aBalloonsNumbersAndItsMarkOfChunksAreCheckedToo() throws IOException {
        state.balloon("vm", reason -> {}).close();
        file = folder.resolve("state/vm.balloon.state");
        byte[] good = Files.readAllBytes(file);
        for (int at : new int[] {0, 9, 18, 27, 36, 65, 74, 128, 128 + 64 + 7}) {
            byte[] bent = good.clone();
            bent[HEADER + at] ^= 0x10;
            Files.write(file, bent);
            assertRefused(() -> state.balloon("vm", reason -> {}), "damaged");
            Arrays.fill(bent, HEADER + (at & -8), HEADER + (at & -8) + 8, (byte) 0);
            if (at < 192) {
                Files.write(file, bent);
                assertRefused(() -> state.balloon("vm", reason -> {}), "damaged");
            }
        }
    }
}
