package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;
import static org.exomem.vmm.MigrationOutcome.awaitEnd;
import static org.exomem.vmm.MigrationOutcome.status;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.exomem.conformance.guest.MemoryFolder;
import org.exomem.linux.SlowFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A guest moves, or is a clone whose pages become shared, in the middle of reads of a slow disk that bypass the host's
 * page cache ({@code cache=none}). The host writes the guest's memory when a read ends, but QEMU's page tables show the
 * write when the read begins.
 */
@RealGuest
final class DirectDiskTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 256 * MIB;
    private static final long DISK = 1024 * MIB;
    /** The number of readers in the guest's program. */
    private static final int READERS = 8;

    private static final Duration READ = Duration.ofMillis(60);
    private static final Duration LONG_READ = Duration.ofMillis(500);
    private static final Duration LIMIT = Duration.ofMinutes(1);
    /** More with {@code -Dexomem.moves=100}. */
    private static final int MOVES = Integer.getInteger("exomem.moves", 2);

    private MemoryFolder folder;
    private SlowFile disk;

    @BeforeEach
    void makeDisk() throws IOException {
        assumeThat(SlowFile.whyNot()).as("a slow file").isEmpty();
        folder = MemoryFolder.make(Path.of("/dev/shm"));
        disk = SlowFile.over(Files.createFile(file("disk")), DISK, READERS);
        disk.delay(READ);
    }

    @AfterEach
    void removeDisk() throws IOException {
        try (MemoryFolder itsFolder = folder;
                SlowFile itself = disk) {
            // Both are closed, the disk first.
        }
    }

    private Path file(String name) {
        return folder.path().resolve(name);
    }

    private QemuCommand guest(String name) throws IOException {
        return withDisk(QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM)), name, "on")
                .driver("virtio_blk")
                .arguments("-device", "virtio-blk-pci,drive=disk,share-rw=on");
    }

    /** Both QEMUs have the disk open, so neither may lock it. */
    private QemuCommand withDisk(QemuCommand guest, String name, String direct) throws IOException {
        // The file of a QEMU that has ended.
        Files.deleteIfExists(file(name + ".ram"));
        return guest.ram(RAM)
                .ramFile(file(name + ".ram"))
                .listeningQmp(file(name + ".qmp"))
                .arguments(
                        "-blockdev",
                        "driver=file,node-name=slow,filename=" + file("disk") + ",locking=off,aio=threads,cache.direct="
                                + direct,
                        "-blockdev",
                        "driver=raw,node-name=disk,file=slow,cache.direct=" + direct);
    }

    private BackEnd backEnd(String name) throws IOException {
        return BackEnd.start("vm,vmm-qmp=" + file(name + ".qmp"));
    }

    private static long reads(Qemu qemu) throws IOException {
        return reads(qemu.guest());
    }

    private static long reads(GuestShell guest) throws IOException {
        String answer = guest.run("diskread check").strip();
        assertThat(answer).startsWith("ok ");
        return Long.parseLong(answer.substring("ok ".length()));
    }

    @Test
    @Tag("MIG-WATCH-2")
    @Tag("MIG-DIRTY-8")
    void guestMovesThereAndBackInTheMiddleOfReadsAndEveryByteArrives() throws IOException {
        try (BackEnd backEndA = backEnd("a");
                BackEnd backEndB = backEnd("b")) {
            Qemu here = Qemu.start(guest("a"));
            try {
                here.guest().run("diskread start /dev/vda");
                for (int move = 0; move < MOVES; move++) {
                    boolean there = move % 2 == 0;
                    Qemu left = here;
                    here = move(
                            left,
                            there ? backEndA : backEndB,
                            guest(there ? "b" : "a").incoming(),
                            there ? backEndB : backEndA);
                    left.close();
                }
            } finally {
                here.close();
            }
        }
    }

    private Qemu move(Qemu source, BackEnd here, QemuCommand waiting, BackEnd there) throws IOException {
        Qemu destination = Qemu.start(waiting);
        try {
            long before = reads(source);
            disk.awaitReads(READERS / 2);
            begin(here, there, Map.of());
            assertMovedWatched(here, there);
            assertStoppedTwice(source);
            long after = reads(destination);
            assertThat(after).isGreaterThanOrEqualTo(before);
            await().atMost(LIMIT).until(() -> reads(destination) >= after + READERS);
            return destination;
        } catch (IOException | RuntimeException | Error e) {
            destination.close();
            throw e;
        }
    }

    /**
     * The guest was stopped while the watch began, and for good. Otherwise a read that began before the watch would be
     * missed.
     */
    private static void assertStoppedTwice(Qemu qemu) {
        assertThat(qemu.qmp().pollEvent("STOP")).isNotNull();
        assertThat(qemu.qmp().pollEvent("STOP")).isNotNull();
        assertThat(qemu.qmp().pollEvent("RESUME")).isNotNull();
    }

    /** No write of its devices is marked early. */
    @Test
    @Tag("MIG-WATCH-2")
    void guestWhoseDiskUsesThePageCacheIsNotStoppedWhenTheWatchBegins() throws IOException {
        try (BackEnd here = backEnd("a");
                BackEnd there = backEnd("b");
                Qemu source = Qemu.start(withDisk(QemuCommand.of(GuestImage.driver()), "a", "off"));
                Qemu destination = Qemu.start(withDisk(QemuCommand.of(GuestImage.driver()), "b", "off")
                        .incoming())) {
            begin(here, there, Map.of("max-bandwidth", 1 << 16));
            await().atMost(LIMIT)
                    .until(() ->
                            status(here).path("writes").path("way").asText().equals("watch"));
            JsonNode status = status(here);
            assertThat(status.path("status").asText()).as(status.toString()).isEqualTo("active");
            assertThat(source.qmp().execute("query-status").path("status").asText())
                    .isEqualTo("running");
            assertThat(source.qmp().pollEvent("STOP")).isNull();
            assertThat(destination.isAlive()).isTrue();
        }
    }

    /** Data that a read writes to a page during its replacement would be lost. */
    @Test
    @Tag("IMG-CLONE-11")
    void cloneStandsStillWhileItsPagesBecomeSharedAndEveryByteArrives() throws IOException {
        List<String> clone = List.of("golden", "--templates", file("templates").toString());
        try (BackEnd exomem = backEnd("a")) {
            try (OwnQemu template = OwnQemu.start(
                    guest("a")
                            .arguments("-qmp", "unix:" + file("a.watch") + ",server=on,wait=off")
                            .driver("virtio_balloon")
                            .vhostUserBalloon(exomem.socket("vm")),
                    file("a"))) {
                await().atMost(LIMIT)
                        .until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
                exomem.command(words(List.of("template", "create", "vm"), clone));
                assertThat(template.guest().run("true")).isEmpty();
            }
            exomem.command(
                    words(List.of("clone"), clone, "--folder", file("clones").toString(), "--serve"));
            Path folder = file("clones").resolve("golden-1");
            try (OwnQemu qemu = OwnQemu.of(folder.resolve("a"))) {
                await().atMost(LIMIT)
                        .until(() -> exomem.balloon("golden-1").features().contains("free-page-hint"));
                qemu.guest().run("diskread start /dev/vda");
                // A driver that starts again has its queues elsewhere.
                exomem.command("detach", "golden-1");
                disk.awaitReads(READERS / 2);
                try (QmpClient watch = QmpClient.connect(folder.resolve("a.watch"))) {
                    exomem.command("attach", "golden-1");
                    watch.awaitEvent("STOP", LIMIT);
                    watch.awaitEvent("RESUME", LIMIT);
                    await().atMost(LIMIT)
                            .until(() -> exomem.balloon("golden-1").features().contains("free-page-hint"));
                    exomem.command("balloon", "golden-1", "200M", "--wait");
                    exomem.command("balloon", "golden-1", "256M", "--wait");
                    long before = reads(qemu.guest());
                    await().atMost(LIMIT).until(() -> reads(qemu.guest()) >= before + READERS);
                    assertThat(watch.execute("query-status").path("status").asText())
                            .isEqualTo("running");
                }
            } finally {
                // A QEMU does not end before its reads do.
                disk.delay(READ);
            }
        }
    }

    private static String[] words(List<String> first, List<String> then, String... last) {
        return Stream.of(first, then, List.of(last)).flatMap(List::stream).toArray(String[]::new);
    }

    /**
     * So the test notices a move without the rule. The reads are marked at the first sync, and end before the guest is
     * stopped.
     */
    @Test
    @Tag("MIG-DIRTY-8")
    void readsThatEndBeforeThePauseArriveWithTheRuleAndAreLostWithoutIt() throws IOException {
        try (Qemu first = Qemu.start(guest("a"));
                Qemu second = Qemu.start(guest("b").incoming());
                Qemu third = Qemu.start(guest("c").incoming())) {
            first.guest().run("diskread start /dev/vda");
            moveWhileReadsEnd(first, "a", "b", true);
            reads(second);
            moveWhileReadsEnd(second, "b", "c", false);
            GuestShell.Result found = third.guest().tryRun("diskread check", LIMIT);
            assertThat(found.output()).containsPattern("^wrong: (changed|wrong) after the read");
        }
    }

    private void moveWhileReadsEnd(Qemu source, String from, String to, boolean rule) throws IOException {
        try (ChildProgram mover = ChildProgram.start(
                WatchedMove.class,
                Long.toString(source.pid()),
                file(from).toString(),
                file(to).toString(),
                Boolean.toString(rule))) {
            assertThat(mover.line()).isEqualTo("watching");
            disk.hold();
            disk.awaitReads(READERS);
            assertThat(mover.next()).isEqualTo("prepared");
            // So slow that no buffer is used again before the guest is stopped.
            disk.delay(LONG_READ);
            assertThat(mover.next()).isEqualTo("moved");
        } finally {
            // A QEMU does not end before its reads do.
            disk.delay(READ);
        }
    }

    private static void assertMovedWatched(BackEnd here, BackEnd there) {
        JsonNode left = awaitEnd(here);
        JsonNode arrived = awaitEnd(there);
        assertThat(left.path("status").asText()).as(left + here.output()).isEqualTo("completed");
        assertThat(arrived.path("status").asText()).as(arrived + there.output()).isEqualTo("completed");
        assertThat(left.path("writes").path("way").asText()).as(left.toString()).isEqualTo("watch");
    }

    private void begin(BackEnd here, BackEnd there, Map<String, Object> options) throws IOException {
        Map<String, Object> wish = new HashMap<>(options);
        wish.put("vm", "vm");
        wish.put("uri", "unix:" + file("stream"));
        there.control().execute("migrate-incoming", Map.of("vm", "vm", "uri", wish.get("uri")));
        here.control().execute("migrate", wish);
    }
}
