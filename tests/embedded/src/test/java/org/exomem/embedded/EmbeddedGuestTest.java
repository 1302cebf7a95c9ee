package org.exomem.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.fasterxml.jackson.databind.JsonNode;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.exomem.conformance.guest.MemoryFolder;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The embedded VMM and its guest, over QMP. */
@Timeout(180)
class EmbeddedGuestTest {
    private static final long MIB = 1 << 20;
    private static final long SIZE = 64 * MIB;
    private static final String SHARED = "{'capabilities': [{'capability': 'x-ignore-shared', 'state': true}]}";

    @TempDir
    Path folder;

    MemoryFolder memory;

    @BeforeEach
    void inMemory() throws Exception {
        memory = MemoryFolder.make(Path.of("/dev/shm"));
    }

    @AfterEach
    void clean() throws Exception {
        memory.close();
    }

    private EmbeddedOptions options(String name) {
        return EmbeddedOptions.of(memory.path().resolve(name), SIZE, folder.resolve(name + ".qmp"))
                .withLog(memory.path().resolve(name + ".log"));
    }

    private static QmpClient client(EmbeddedGuest guest) throws Exception {
        return new QmpClient(guest.options().qmp());
    }

    @Test
    @Tag("VMM-8")
    void itAnswersWhatAMigrationAsksAsAVmmDoes() throws Exception {
        try (EmbeddedGuest guest = EmbeddedGuest.start(options("a"));
                QmpClient qmp = client(guest)) {
            assertThat(qmp.execute("query-status").path("status").asText()).isEqualTo("running");
            JsonNode ram = qmp.execute("query-memdev").get(0);
            assertThat(ram.path("id").asText()).isEqualTo("ram");
            assertThat(ram.path("size").asLong()).isEqualTo(SIZE);
            assertThat(ram.path("share").asBoolean()).isTrue();
            assertThat(qmp.execute("qom-list", "{'path': '/objects/ram'}").findValuesAsText("name"))
                    .contains("mem-path");
            assertThat(qmp.execute("qom-get", "{'path': '/objects/ram', 'property': 'mem-path'}")
                            .asText())
                    .isEqualTo(guest.options().ram().toString());
            JsonNode log = qmp.execute("query-dirty-log");
            assertThat(log.path("size").asLong()).isEqualTo(SIZE / 4096 / 8);
            assertThat(log.path("page-size").asLong()).isEqualTo(4096);
            assertThat(Files.size(Path.of(log.path("path").asText()))).isEqualTo(SIZE / 4096 / 8);
            qmp.execute("stop");
            qmp.await("STOP");
            assertThat(qmp.execute("query-status").path("running").asBoolean()).isFalse();
            qmp.execute("cont");
            qmp.await("RESUME");
            assertThat(qmp.refusal("no-such-command", "{}")).contains("no-such-command");
        }
    }

    @Test
    @Tag("VMM-1")
    void withoutALogThereIsNoCommandForIt() throws Exception {
        EmbeddedOptions options = EmbeddedOptions.of(memory.path().resolve("a"), SIZE, folder.resolve("a.qmp"));
        try (EmbeddedGuest guest = EmbeddedGuest.start(options);
                QmpClient qmp = client(guest)) {
            assertThat(qmp.execute("query-commands").findValuesAsText("name"))
                    .contains("stop", "query-migrate")
                    .doesNotContain("query-dirty-log");
            qmp.refusal("query-dirty-log", "{}");
        }
    }

    @Test
    void aWorkloadTakesMemoryAndGivesItUpAgainAndItsContentStays() throws Exception {
        try (EmbeddedGuest guest = EmbeddedGuest.start(options("a"));
                QmpClient qmp = client(guest);
                SharedFile file = SharedFile.openOrCreate(guest.options().ram(), SIZE)) {
            long before = file.allocatedBytes();
            JsonNode full = qmp.execute("x-load", "{'fill': " + 48 * MIB + "}");
            assertThat(full.path("held").asLong()).isEqualTo(48 * MIB);
            assertThat(full.path("free").asLong()).isEqualTo(15 * MIB);
            assertThat(file.allocatedBytes() - before).isEqualTo(48 * MIB);
            JsonNode freed = qmp.execute("x-load", "{'free': " + 40 * MIB + "}");
            assertThat(freed.path("held").asLong()).isEqualTo(8 * MIB);
            assertThat(freed.path("free").asLong()).isEqualTo(55 * MIB);
            assertThat(file.allocatedBytes() - before).isEqualTo(48 * MIB);
            JsonNode again = qmp.execute("x-load", "{'fill': " + 30 * MIB + "}");
            assertThat(file.allocatedBytes() - before).isEqualTo(48 * MIB);
            assertThat(qmp.execute("x-verify").path("checked").asLong())
                    .isEqualTo(again.path("held").asLong() / 4096);
            assertThat(qmp.refusal("x-load", "{'fill': " + 60 * MIB + "}")).contains("free memory");
        }
    }

    @ParameterizedTest(name = "{0} MiB below the hole")
    @ValueSource(longs = {64, 24})
    @Tag("VMM-9")
    @Tag("VMM-10")
    void readerOfTheLogHasTheSameMemoryWhenTheGuestIsStopped(long low) throws Exception {
        EmbeddedOptions options = options("a").withLow(low * MIB);
        try (EmbeddedGuest guest = EmbeddedGuest.start(options);
                QmpClient qmp = client(guest);
                SharedFile file = SharedFile.openOrCreate(options.ram(), SIZE);
                Mapping source = Mapping.of(file, 0, SIZE);
                SharedFile copyFile = SharedFile.memfd("copy", SIZE);
                Mapping copy = Mapping.of(copyFile, 0, SIZE)) {
            JsonNode log = qmp.execute("query-dirty-log");
            qmp.execute("x-load", "{'fill': " + 40 * MIB + ", 'writes': -1, 'churn': 100000, 'checks': 1000}");
            try (LogReader reader = new LogReader(
                    Path.of(log.path("path").asText()),
                    log.path("size").asLong(),
                    source.segment(),
                    copy.segment(),
                    low * MIB)) {
                for (int pause = 0; pause < 20; pause++) {
                    while (reader.round() == 0) {
                        Thread.onSpinWait();
                    }
                    qmp.execute("stop");
                    reader.round();
                    assertThat(source.segment().mismatch(copy.segment()))
                            .as("first byte that differs")
                            .isEqualTo(-1);
                    qmp.execute("cont");
                }
            }
            assertThat(qmp.execute("x-verify").path("wrong").asInt()).isZero();
        }
    }

    @Test
    void guestRunsOnInAnotherVmmAndVerifiesItsPages() throws Exception {
        try (EmbeddedGuest source = EmbeddedGuest.start(options("a"));
                QmpClient here = client(source)) {
            here.execute("x-load", "{'fill': " + 20 * MIB + ", 'free': " + MIB + ", 'writes': 1000, 'checks': 1000}");
            here.execute("stop");
            Files.copy(options("a").ram(), options("b").ram());
            here.execute("migrate-set-capabilities", SHARED);
            here.execute("migrate", "{'uri': 'file:" + folder.resolve("state") + "'}");
            assertThat(here.execute("query-migrate").path("status").asText()).isEqualTo("completed");
            assertThat(here.execute("query-status").path("status").asText()).isEqualTo("postmigrate");
            try (EmbeddedGuest destination =
                            EmbeddedGuest.start(options("b").withSeed(99).thatIsIncoming());
                    QmpClient there = client(destination)) {
                assertThat(there.execute("query-status").path("status").asText())
                        .isEqualTo("inmigrate");
                there.execute("migrate-set-capabilities", SHARED);
                there.execute("migrate-incoming", "{'uri': 'file:" + folder.resolve("state") + "'}");
                assertThat(there.execute("query-migrate").path("status").asText())
                        .isEqualTo("completed");
                assertThat(there.execute("query-status").path("status").asText())
                        .isEqualTo("paused");
                there.execute("cont");
                JsonNode loaded = there.execute("x-load", "{'fill': " + MIB + "}");
                assertThat(loaded.path("held").asLong()).isEqualTo(20 * MIB);
                JsonNode verified = there.execute("x-verify");
                assertThat(verified.path("wrong").asInt()).isZero();
                assertThat(verified.path("checked").asLong()).isEqualTo(20 * MIB / 4096);
                assertThat(destination.failure()).isNull();
            }
            here.execute("cont");
            assertThat(here.execute("x-verify").path("wrong").asInt()).isZero();
        }
    }

    @Test
    void guestFailsAtAPageThatWasNotMigrated() throws Exception {
        try (EmbeddedGuest source = EmbeddedGuest.start(options("a"))) {
            source.work(4 * MIB, 0);
            source.stop();
            Files.copy(options("a").ram(), options("b").ram());
            source.save(folder.resolve("state"));
        }
        try (SharedFile file = SharedFile.openOrCreate(options("b").ram(), SIZE)) {
            file.punchHole(EmbeddedRam.DRIVER_BYTES + 8192, 4096);
        }
        try (EmbeddedGuest destination = EmbeddedGuest.start(options("b").thatIsIncoming());
                QmpClient there = client(destination)) {
            destination.load(folder.resolve("state"));
            there.execute("cont");
            JsonNode panic = there.await("GUEST_PANICKED");
            assertThat(panic.findValue("message").asText())
                    .contains("page " + (EmbeddedRam.firstPage() + 2))
                    .contains("512 of its 512 words differ")
                    .contains("zero");
            assertThat(destination.awaitEnd(Duration.ofSeconds(10))).isTrue();
            assertThat(destination.failure()).isNotNull();
            assertThat(there.execute("query-status").path("status").asText()).isEqualTo("guest-panicked");
            there.refusal("cont", "{}");
        }
    }

    @Test
    void staleContentIsReportedDifferentlyFromWrongContent() throws Exception {
        try (EmbeddedGuest guest = EmbeddedGuest.start(options("a").withProcessors(1));
                SharedFile file = SharedFile.openOrCreate(options("a").ram(), SIZE);
                Mapping mapped = Mapping.of(file, 0, SIZE)) {
            guest.work(MIB, 0);
            MemorySegment last = mapped.segment().asSlice(EmbeddedRam.DRIVER_BYTES + MIB - 4096, 4096);
            byte[] old = last.toArray(ValueLayout.JAVA_BYTE);
            guest.work(0, 4096);
            guest.work(4096, 0);
            assertThat(guest.verify()).isEmpty();
            last.copyFrom(MemorySegment.ofArray(old));
            assertThat(guest.verify()).singleElement().asString().contains("of generation 511, not 513");
        }
    }

    @Test
    void aStateThatIsDamagedOrOfAnotherMachineIsRefusedAndTheRightOneStillTaken() throws Exception {
        Path state = folder.resolve("state");
        try (EmbeddedGuest source = EmbeddedGuest.start(options("a"))) {
            source.work(MIB, 0);
            source.save(state);
            Files.copy(options("a").ram(), options("b").ram());
        }
        byte[] right = Files.readAllBytes(state);
        try (EmbeddedGuest destination = EmbeddedGuest.start(options("b").thatIsIncoming());
                QmpClient there = client(destination)) {
            assertThat(there.refusal("migrate-incoming", "{'uri': 'file:" + state + "'}"))
                    .contains("x-ignore-shared");
            there.execute("migrate-set-capabilities", SHARED);
            for (int at : List.of(0, 20, right.length / 2, right.length - 1)) {
                byte[] wrong = right.clone();
                wrong[at] ^= 1;
                Files.write(state, wrong);
                there.execute("migrate-incoming", "{'uri': 'file:" + state + "'}");
                JsonNode result = there.execute("query-migrate");
                assertThat(result.path("status").asText()).isEqualTo("failed");
                assertThat(result.path("error-desc").asText()).contains("state");
            }
            Files.write(state, right);
            there.execute("migrate-incoming", "{'uri': 'file:" + state + "'}");
            assertThat(there.execute("query-migrate").path("status").asText()).isEqualTo("completed");
            assertThat(there.execute("x-verify").path("wrong").asInt()).isZero();
        }
        try (EmbeddedGuest other =
                EmbeddedGuest.start(options("c").withProcessors(3).thatIsIncoming())) {
            assertThat(catchThrowable(() -> other.load(state))).hasMessageContaining("another machine");
        }
    }

    @Test
    @Tag("VMM-13")
    void aThrottledGuestIsPausedAtOnceAndWorksOn() throws Exception {
        try (EmbeddedGuest guest = EmbeddedGuest.start(options("a").withProcessors(1));
                QmpClient qmp = client(guest)) {
            qmp.execute("x-load", "{'fill': " + MIB + ", 'writes': -1}");
            qmp.execute("x-throttle", "{'percent': 99}");
            assertThat(qmp.refusal("x-throttle", "{'percent': 100}")).contains("99");
            for (int i = 0; i < 10; i++) {
                qmp.execute("stop");
                qmp.execute("cont");
            }
            assertThat(qmp.execute("x-load", "{'fill': " + MIB + "}")
                            .path("held")
                            .asLong())
                    .isEqualTo(2 * MIB);
            qmp.execute("x-throttle", "{'percent': 0}");
            assertThat(qmp.execute("x-verify").path("wrong").asInt()).isZero();
        }
    }
}
