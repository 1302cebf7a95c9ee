package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.exomem.vmm.MigrationOutcome.awaitEnd;
import static org.exomem.vmm.MigrationOutcome.status;
import static org.exomem.vmm.MovingGuests.assertNothingLeftIn;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Map;
import org.exomem.linux.process.OpenFiles;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A program attaches to an unmodified QEMU and watches it while its guest moves. Afterwards QEMU is as before. */
@RealGuest
final class WatchedGuestTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 384 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(1);
    /** More with {@code -Dexomem.rounds=1000}. */
    private static final int ATTACHES = Integer.getInteger("exomem.rounds", 100);

    @RegisterExtension
    final MovingGuests guests = new MovingGuests(RAM);

    @Test
    @Tag("VMM-17")
    @Tag("VMM-18")
    @Tag("MIG-WATCH-1")
    void guestMovesTwiceAfterAnExomemThatWatchedItWasKilled() throws IOException {
        try (BackEnd here = guests.backEnd("a");
                BackEnd there = guests.backEnd("b");
                BackEnd last = guests.backEnd("c");
                Qemu first = Qemu.start(guests.guest("a"));
                Qemu second = Qemu.start(guests.guest("b").incoming());
                Qemu third = Qemu.start(guests.guest("c").incoming())) {
            first.guest().run("memeat fill kept 60 1");
            String checksum = first.guest().run("memeat verify kept");

            guests.begin(here, there, Map.of("max-bandwidth", 8 * MIB, "writes", "compare"));
            awaitTransferred(here, 4 * MIB);
            assertThat(way(here)).isEqualTo("compare");
            here.control().execute("migrate-cancel", Map.of("vm", "vm"));
            awaitEnd(here);
            awaitEnd(there);
            assertThat(here.output()).doesNotContain("attached to the VMM on");

            guests.begin(here, there, Map.of("max-bandwidth", 8 * MIB));
            awaitTransferred(here, 4 * MIB);
            assertThat(way(here)).isEqualTo("watch");
            assertNothingLeftIn(first);
            here.kill();
            assertThat(first.guest().run("memeat verify kept")).isEqualTo(checksum);
            assertThat(first.guest().run("memeat fill more 20 2 && memeat verify more"))
                    .contains("ok ");
            assertNothingLeftIn(first);
            there.control().execute("migrate-cancel", Map.of("vm", "vm"));
            awaitEnd(there);

            here.restart();
            guests.begin(here, there, Map.of());
            assertMovedWatched(here, there);
            assertThat(second.guest().run("memeat verify kept")).isEqualTo(checksum);

            guests.begin(there, last, Map.of());
            assertMovedWatched(there, last);
            assertNothingLeftIn(second);
            assertThat(third.guest().run("memeat verify kept")).isEqualTo(checksum);
            assertThat(third.guest().run("memeat verify more")).contains("ok ");
        }
    }

    /** In memory that the guest does not use, so that nothing else writes there; after that memory was sent. */
    @Test
    @Tag("MIG-WATCH-4")
    void whatAnotherProcessWritesArrivesAndItIsNamed() throws IOException {
        long from = 64 * MIB;
        long length = 4 * MIB;
        try (BackEnd here = guests.backEnd("a");
                BackEnd there = guests.backEnd("b");
                Qemu source = Qemu.start(guests.guest("a").kernelArgument("memmap=4M$64M"));
                Qemu destination = Qemu.start(guests.guest("b").incoming());
                ChildProgram writer = ChildProgram.start(
                        Scribbler.class, guests.file("a.ram").toString(), Long.toString(from), Long.toString(length))) {
            assertThat(writer.line()).isEqualTo("mapped");
            source.guest().run("memeat fill kept 150 1");
            writer.next();
            guests.begin(here, there, Map.of("max-bandwidth", 50 * MIB));
            awaitTransferred(here, from + length);
            writer.next();
            JsonNode left = awaitEnd(here);
            assertThat(left.path("status").asText()).as(left.toString()).isEqualTo("completed");
            assertThat(left.path("writes").path("way").asText()).isEqualTo("watch");
            assertThat(left.path("writes").path("reason").asText()).contains("process " + writer.pid() + " (java)");
            assertThat(bytes("b.ram", from, length)).isEqualTo(bytes("a.ram", from, length));
            assertThat(destination.guest().run("memeat verify kept")).contains("ok ");
        }
    }

    private byte[] bytes(String file, long from, long length) throws IOException {
        try (FileChannel channel = FileChannel.open(guests.file(file), StandardOpenOption.READ)) {
            byte[] bytes = new byte[(int) length];
            channel.map(MapMode.READ_ONLY, from, length).get(bytes);
            return bytes;
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
                "-run-with user=nobody"
            })
    @Tag("VMM-17")
    void qemuWithFewerRightsIsWatched(String arguments) throws IOException {
        try (BackEnd here = guests.backEnd("a");
                BackEnd there = guests.backEnd("b");
                Qemu source = Qemu.start(guests.guest("a").arguments(arguments.split(" ")));
                Qemu destination = Qemu.start(guests.guest("b").incoming())) {
            source.guest().run("memeat fill kept 60 1");
            String checksum = source.guest().run("memeat verify kept");
            guests.begin(here, there, Map.of());
            assertMovedWatched(here, there);
            assertNothingLeftIn(source);
            assertThat(destination.guest().run("memeat verify kept")).isEqualTo(checksum);
        }
    }

    /** Its main thread serves the guest's serial port meanwhile. */
    @Test
    @Tag("VMM-17")
    void qemuThatIsAttachedToManyTimesServesItsGuestAllAlong() throws Exception {
        try (Qemu qemu = Qemu.start(guests.guest("a"))) {
            Map<Integer, String> before = OpenFiles.of((int) qemu.pid()).names();
            try (ChildProgram attacher =
                    ChildProgram.start(Attacher.class, Long.toString(qemu.pid()), Integer.toString(ATTACHES))) {
                String numbers = qemu.guest().run("seq 1 200");
                int commands = 0;
                while (!attacher.hasSaid()) {
                    assertThat(qemu.guest().run("seq 1 200")).isEqualTo(numbers);
                    commands++;
                }
                assertThat(commands).isPositive();
                assertThat(Integer.parseInt(attacher.line())).isLessThan(500_000);
            }
            assertThat(OpenFiles.of((int) qemu.pid()).names()).isEqualTo(before);
            assertNothingLeftIn(qemu);
        }
    }

    /** The writes of a child of QEMU would be missed if it ended before the next sync. */
    @Test
    @Tag("MIG-WATCH-4")
    void childrenOfQemuDoNotGetTheGuestsMemory() throws IOException {
        try (Qemu qemu = Qemu.start(guests.guest("a"))) {
            String mappings = Files.readString(Path.of("/proc", Long.toString(qemu.pid()), "smaps"));
            String ram = guests.file("a.ram").toString();
            assertThat(mappings.split("(?m)^(?=[0-9a-f]+-)"))
                    .filteredOn(mapping -> mapping.contains(ram))
                    .isNotEmpty()
                    .allMatch(mapping ->
                            mapping.lines().anyMatch(line -> line.startsWith("VmFlags:") && line.contains(" dc")));
        }
    }

    private static void assertMovedWatched(BackEnd here, BackEnd there) {
        JsonNode left = awaitEnd(here);
        JsonNode arrived = awaitEnd(there);
        assertThat(left.path("status").asText()).as(left + here.output()).isEqualTo("completed");
        assertThat(arrived.path("status").asText()).as(arrived + there.output()).isEqualTo("completed");
        assertThat(left.path("writes").path("way").asText()).as(left.toString()).isEqualTo("watch");
        assertThat(left.path("writes").has("reason")).as(left.toString()).isFalse();
    }

    private static void awaitTransferred(BackEnd here, long bytes) {
        await().atMost(LIMIT)
                .pollInterval(Duration.ofMillis(10))
                .until(() -> status(here).path("ram").path("transferred").asLong() > bytes);
    }

    private static String way(BackEnd backEnd) throws IOException {
        return status(backEnd).path("writes").path("way").asText();
    }
}
