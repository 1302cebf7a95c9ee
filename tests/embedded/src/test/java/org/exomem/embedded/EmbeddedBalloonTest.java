package org.exomem.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.BitSet;
import java.util.EnumSet;
import java.util.concurrent.Callable;
import org.exomem.balloon.HintingState;
import org.exomem.balloon.StatisticsTag;
import org.exomem.conformance.BalloonBackEnd;
import org.exomem.conformance.guest.MemoryFolder;
import org.exomem.embedded.EmbeddedOptions.Hints;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageSubscription;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The embedded guest with exomem's balloon. */
@Timeout(180)
class EmbeddedBalloonTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private static final long MIB = 1 << 20;
    private static final long SIZE = 64 * MIB;
    private static final long PROGRAMS = SIZE - EmbeddedRam.DRIVER_BYTES;
    private static final long PAGE = 4096;

    @TempDir
    Path folder;

    MemoryFolder memory;
    BalloonBackEnd backEnd;
    PageSubscription hints;

    @BeforeEach
    void start() throws Exception {
        memory = MemoryFolder.make(Path.of("/dev/shm"));
        backEnd = new BalloonBackEnd(folder.resolve("balloon"));
        hints = backEnd.onLoop(
                () -> backEnd.feed.subscribe(EnumSet.of(PageFeed.Kind.HINTING_STARTED, PageFeed.Kind.HINTED), 1 << 14));
    }

    @AfterEach
    void end() throws Exception {
        backEnd.close();
        memory.close();
    }

    private EmbeddedOptions options() {
        return EmbeddedOptions.of(memory.path().resolve("ram"), SIZE, folder.resolve("qmp"))
                .withLog(memory.path().resolve("log"))
                .withBalloon(backEnd.socket);
    }

    private static QmpClient client(EmbeddedGuest guest) throws Exception {
        return new QmpClient(guest.options().qmp());
    }

    private void awaitThat(Callable<Boolean> condition) {
        await().atMost(Duration.ofMinutes(1))
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(2))
                .until(() -> backEnd.onLoop(condition));
    }

    /**
     * The pages that were hinted so far, by their guest addresses; if a session began, only those of the last one
     * (MIG-HINT-2).
     */
    private BitSet hinted() {
        BitSet pages = new BitSet();
        PageFeed.Listener listener = (kind, session, address, length) -> {
            if (kind == PageFeed.Kind.HINTING_STARTED) {
                pages.clear();
            } else if (kind == PageFeed.Kind.HINTED) {
                pages.set((int) (address / PAGE), (int) ((address + length) / PAGE));
            }
        };
        while (hints.drain(listener) > 0) {
            // Until nothing is left.
        }
        return pages;
    }

    private void awaitHinting(HintingState state) {
        awaitThat(() -> backEnd.balloon.freePages().state() == state);
    }

    @ParameterizedTest(name = "{0} MiB below the hole")
    @ValueSource(longs = {64, 23})
    void theBalloonFollowsWhatIsAskedForAndTheGuestLosesNothing(long low) throws Exception {
        try (EmbeddedGuest guest = EmbeddedGuest.start(options().withLow(low * MIB));
                QmpClient qmp = client(guest)) {
            qmp.execute("x-load", "{'fill': " + 8 * MIB + ", 'writes': 10000, 'churn': 10000, 'checks': 10000}");
            for (long pages : new long[] {5000, 12000, 777, 0}) {
                backEnd.runOnLoop(() -> backEnd.balloon.setNumPages(pages));
                awaitThat(() -> backEnd.balloon.actual() == pages);
                assertThat(backEnd.onLoop(backEnd.balloon::pagesInBalloon)).isEqualTo(pages);
                assertThat(qmp.execute("x-verify").path("wrong").asInt()).isZero();
            }
            backEnd.runOnLoop(backEnd.balloon::requestStatistics);
            awaitThat(() -> backEnd.balloon.statistics().values().size() == 10);
            assertThat(backEnd.onLoop(backEnd.balloon::statistics).values())
                    .containsEntry(StatisticsTag.TOTAL_MEMORY, SIZE);
        }
        assertThat(backEnd.faults).isEmpty();
    }

    @ParameterizedTest(name = "{0} MiB below the hole")
    @ValueSource(longs = {64, 23})
    void allFreePagesAreHintedAndNoOthers(long low) throws Exception {
        try (EmbeddedGuest guest = EmbeddedGuest.start(options().withLow(low * MIB));
                QmpClient qmp = client(guest)) {
            qmp.execute("x-load", "{'fill': " + 40 * MIB + ", 'free': " + 30 * MIB + "}");
            backEnd.runOnLoop(backEnd.balloon::startHinting);
            awaitHinting(HintingState.STOPPED);
            assertThat(backEnd.onLoop(backEnd.balloon::freePages).hintedBytes()).isEqualTo(PROGRAMS - 10 * MIB);
            BitSet hinted = hinted();
            assertThat(hinted.cardinality() * PAGE).isEqualTo(PROGRAMS - 10 * MIB);
            guest.stop();
            for (int i = 0; i < SIZE / PAGE; i++) {
                if (guest.program().allocator().take(i)) {
                    throw new AssertionError("page " + i + " is free, and not kept for hinting");
                }
            }
            guest.cont();
            backEnd.runOnLoop(backEnd.balloon::finishHinting);
            await().atMost(LIMIT)
                    .until(() -> guest.program().allocator().take(guest.ram().pages() - 1));
        }
    }

    @Test
    void underPressureAGuestTakesHintedPagesBackAndWritesThem() throws Exception {
        try (EmbeddedGuest guest = EmbeddedGuest.start(options());
                QmpClient qmp = client(guest);
                SharedFile file = SharedFile.openOrCreate(options().ram(), SIZE);
                Mapping source = Mapping.of(file, 0, SIZE);
                SharedFile copyFile = SharedFile.memfd("copy", SIZE);
                Mapping copy = Mapping.of(copyFile, 0, SIZE)) {
            JsonNode log = qmp.execute("query-dirty-log");
            qmp.execute("x-load", "{'fill': " + 10 * MIB + ", 'churn': 1000, 'pressure': true}");
            backEnd.runOnLoop(backEnd.balloon::startHinting);
            awaitHinting(HintingState.STOPPED);
            await().atMost(LIMIT)
                    .until(() -> qmp.execute("x-balloon").path("taken-back").asLong() > 10);
            qmp.execute("x-load", "{'fill': " + 50 * MIB + "}");
            assertThat(qmp.execute("x-balloon").path("taken-back").asLong()).isGreaterThan(40 * MIB / PAGE);
            assertThat(qmp.execute("x-verify").path("wrong").asInt()).isZero();
            qmp.execute("stop");
            try (LogReader reader = new LogReader(
                    Path.of(log.path("path").asText()),
                    log.path("size").asLong(),
                    source.segment(),
                    copy.segment(),
                    SIZE)) {
                reader.round();
            }
            assertThat(source.segment().mismatch(copy.segment())).isEqualTo(-1);
        }
    }

    @Test
    @Tag("VMM-11")
    void aGuestThatLiesHintsWhatItUsesAndItsWritesAreInTheLog() throws Exception {
        try (EmbeddedGuest guest = EmbeddedGuest.start(options().withHints(Hints.LYING));
                QmpClient qmp = client(guest);
                SharedFile file = SharedFile.openOrCreate(options().ram(), SIZE);
                Mapping source = Mapping.of(file, 0, SIZE);
                SharedFile copyFile = SharedFile.memfd("copy", SIZE);
                Mapping copy = Mapping.of(copyFile, 0, SIZE)) {
            JsonNode log = qmp.execute("query-dirty-log");
            qmp.execute("x-load", "{'fill': " + 10 * MIB + ", 'writes': 10000}");
            try (LogReader reader = new LogReader(
                    Path.of(log.path("path").asText()),
                    log.path("size").asLong(),
                    source.segment(),
                    copy.segment(),
                    SIZE)) {
                for (int session = 1; session <= 5; session++) {
                    backEnd.runOnLoop(backEnd.balloon::startHinting);
                    reader.round();
                    awaitHinting(HintingState.STOPPED);
                    BitSet hinted = hinted();
                    HeldPages used = guest.program().driversPages();
                    assertThat(used.count()).isEqualTo(256);
                    for (int i = 0; i < used.count(); i++) {
                        assertThat(hinted.get(used.page(i))).isTrue();
                    }
                    qmp.execute("stop");
                    assertThat(reader.round()).isPositive();
                    assertThat(source.segment().mismatch(copy.segment())).isEqualTo(-1);
                    qmp.execute("cont");
                    assertThat(qmp.execute("x-verify").path("wrong").asInt()).isZero();
                    backEnd.runOnLoop(backEnd.balloon::finishHinting);
                }
            }
        }
    }

    /** The effect of hints on a migration, with an honest and with a lying driver. */
    @ParameterizedTest(name = "a driver that is {0}")
    @EnumSource(Hints.class)
    @Tag("BAL-HINT-9")
    void aGuestLosesNothingThatIsSkippedForHintsOfASessionBegunAfterTheSync(Hints driver) throws Exception {
        EmbeddedOptions options = options().withHints(driver).withLow(23 * MIB);
        EmbeddedOptions elsewhere = EmbeddedOptions.of(
                        memory.path().resolve("there"), SIZE, folder.resolve("there.qmp"))
                .withLow(23 * MIB)
                .thatIsIncoming();
        long skipped = 0;
        try (EmbeddedGuest guest = EmbeddedGuest.start(options);
                EmbeddedGuest destination = EmbeddedGuest.start(elsewhere);
                QmpClient qmp = client(guest);
                SharedFile file = SharedFile.openOrCreate(options.ram(), SIZE);
                Mapping source = Mapping.of(file, 0, SIZE);
                SharedFile copyFile = SharedFile.openOrCreate(elsewhere.ram(), SIZE);
                Mapping copy = Mapping.of(copyFile, 0, SIZE)) {
            JsonNode log = qmp.execute("query-dirty-log");
            qmp.execute("x-load", "{'fill': " + 56 * MIB + ", 'free': " + 46 * MIB + "}");
            qmp.execute("x-load", "{'writes': 20000, 'churn': 20000, 'checks': 20000, 'pressure': true}");
            try (LogReader reader = new LogReader(
                    Path.of(log.path("path").asText()),
                    log.path("size").asLong(),
                    source.segment(),
                    copy.segment(),
                    23 * MIB)) {
                BitSet owed = new BitSet();
                for (int round = 0; round < 10; round++) {
                    reader.sync(owed);
                    hinted();
                    backEnd.runOnLoop(backEnd.balloon::startHinting);
                    if (driver != Hints.SILENT) {
                        // Pages that are still lent are not hinted again: a later session may find no others.
                        awaitThat(() -> backEnd.balloon.freePages().hintedBytes() > 0
                                || backEnd.balloon.freePages().state() == HintingState.STOPPED);
                    }
                    for (int page = owed.nextSetBit(0); page >= 0; page = owed.nextSetBit(page + 1)) {
                        if (page % 512 == 0 || page == owed.length() - 1) {
                            int before = owed.cardinality();
                            hinted().stream().forEach(hint -> owed.clear(reader.inFile(hint)));
                            skipped += before - owed.cardinality();
                        }
                        if (owed.get(page)) {
                            owed.clear(page);
                            reader.copy(page);
                        }
                    }
                }
                qmp.execute("device_del", "{'id': 'balloon0'}");
                qmp.await("DEVICE_DELETED");
                guest.stop();
                reader.sync(owed);
                owed.stream().forEach(reader::copy);
            }
            guest.save(folder.resolve("state"));
            destination.load(folder.resolve("state"));
            assertThat(destination.verify()).hasSize(0);
            assertThat(destination.usage().held()).isGreaterThanOrEqualTo(10 * MIB);
            if (driver == Hints.SILENT) {
                assertThat(skipped).isZero();
            } else {
                assertThat(skipped).isPositive();
            }
        }
    }

    @Test
    void silentDriverIgnoresHintSessionsAndDoesAllElse() throws Exception {
        try (EmbeddedGuest guest = EmbeddedGuest.start(options().withHints(Hints.SILENT));
                QmpClient qmp = client(guest)) {
            qmp.execute("x-load", "{'fill': " + 10 * MIB + "}");
            backEnd.runOnLoop(backEnd.balloon::startHinting);
            backEnd.runOnLoop(() -> backEnd.balloon.setNumPages(1000));
            awaitThat(() -> backEnd.balloon.actual() == 1000);
            assertThat(backEnd.onLoop(backEnd.balloon::freePages).state()).isEqualTo(HintingState.REQUESTED);
            assertThat(qmp.execute("x-balloon").path("sessions").asLong()).isZero();
        }
    }

    @Test
    @Tag("BAL-FEAT-3")
    void aGuestWithoutFreeMemoryTakesItOutOfTheBalloon() throws Exception {
        try (EmbeddedGuest guest = EmbeddedGuest.start(options());
                QmpClient qmp = client(guest)) {
            backEnd.runOnLoop(() -> backEnd.balloon.setNumPages(PROGRAMS / PAGE));
            awaitThat(() -> backEnd.balloon.actual() == PROGRAMS / PAGE);
            JsonNode filled = qmp.execute("x-load", "{'fill': " + 20 * MIB + "}");
            assertThat(filled.path("held").asLong()).isEqualTo(20 * MIB);
            awaitThat(() -> backEnd.balloon.actual() <= (PROGRAMS - 20 * MIB) / PAGE);
            assertThat(qmp.execute("x-verify").path("wrong").asInt()).isZero();
        }
    }

    @Test
    void aStoppedGuestsDriverDoesNothingUntilItGoesOn() throws Exception {
        try (EmbeddedGuest guest = EmbeddedGuest.start(options());
                QmpClient qmp = client(guest)) {
            qmp.execute("x-load", "{'fill': " + 10 * MIB + "}");
            backEnd.runOnLoop(() -> backEnd.balloon.setNumPages(3000));
            for (int i = 0; i < 20; i++) {
                qmp.execute("stop");
                long before = backEnd.onLoop(backEnd.balloon::pagesInBalloon);
                int target = 1000 * (i + 1) % 7000;
                backEnd.runOnLoop(() -> backEnd.balloon.setNumPages(target));
                assertThat(backEnd.onLoop(backEnd.balloon::pagesInBalloon)).isEqualTo(before);
                qmp.execute("cont");
            }
            awaitThat(() -> backEnd.balloon.pagesInBalloon() == 20_000 % 7000);
            assertThat(qmp.execute("x-verify").path("wrong").asInt()).isZero();
        }
        assertThat(backEnd.faults).isEmpty();
    }

    @Test
    void theDeviceIsTakenOutAndPutInAgain() throws Exception {
        try (EmbeddedGuest guest = EmbeddedGuest.start(options());
                QmpClient qmp = client(guest)) {
            qmp.execute("x-load", "{'fill': " + 10 * MIB + ", 'churn': 1000}");
            backEnd.runOnLoop(() -> backEnd.balloon.setNumPages(5000));
            awaitThat(() -> backEnd.balloon.actual() == 5000);
            for (int times = 0; times < 3; times++) {
                backEnd.runOnLoop(backEnd.balloon::startHinting);
                awaitHinting(HintingState.STOPPED);
                qmp.execute(
                        "migrate-set-capabilities",
                        "{'capabilities': [{'capability': 'x-ignore-shared', 'state': true}]}");
                assertThat(qmp.refusal("migrate", "{'uri': 'file:" + folder.resolve("state") + "'}"))
                        .contains("non-migratable");
                String id = qmp.execute("qom-list", "{'path': '/machine/peripheral'}")
                        .get(0)
                        .path("name")
                        .asText();
                JsonNode chardev = qmp.execute("query-chardev").get(0);
                assertThat(chardev.path("filename").asText()).isEqualTo("unix:" + backEnd.socket);
                String label = chardev.path("label").asText();
                assertThat(qmp.refusal("chardev-remove", "{'id': '" + label + "'}"))
                        .contains("busy");
                String arguments =
                        "{'driver': 'vhost-user-test-device-pci', 'id': '" + id + "', 'bus': 'rp0', 'chardev': '"
                                + label + "', 'virtio-id': 5, 'num_vqs': 5, 'vq_size': 128, 'config_size': 16}";
                qmp.execute("device_del", "{'id': '" + id + "'}");
                assertThat(qmp.await("DEVICE_DELETED").findValue("device").asText())
                        .isEqualTo(id);
                assertThat(qmp.execute("qom-list", "{'path': '/machine/peripheral'}"))
                        .isEmpty();
                qmp.execute("chardev-remove", "{'id': '" + label + "'}");
                assertThat(qmp.execute("x-load").path("free").asLong()).isEqualTo(PROGRAMS - 10 * MIB);
                awaitThat(() -> backEnd.balloon.pagesInBalloon() == 0);
                qmp.execute(
                        "chardev-add",
                        "{'id': '" + label + "', 'backend': {'type': 'socket', 'data': {'server': false, 'addr': "
                                + "{'type': 'unix', 'data': {'path': '" + backEnd.socket + "'}}}}}");
                qmp.execute("device_add", arguments);
                awaitThat(() -> backEnd.balloon.actual() == 5000);
            }
            assertThat(qmp.execute("x-verify").path("wrong").asInt()).isZero();
        }
        assertThat(backEnd.faults).isEmpty();
    }

    @Test
    void freePagesAreReportedAndTheirMemoryGoesBackToTheHost() throws Exception {
        try (EmbeddedGuest guest = EmbeddedGuest.start(options().withProcessors(1));
                QmpClient qmp = client(guest);
                SharedFile file = SharedFile.openOrCreate(options().ram(), SIZE)) {
            qmp.execute("x-load", "{'fill': " + 50 * MIB + ", 'free': " + 40 * MIB + "}");
            // All but the pages that share a block with used ones. A processor's pages are contiguous, so there are two
            // such ends.
            await().atMost(Duration.ofMinutes(1)).until(() -> file.allocatedBytes() <= 10 * MIB + 4 * MIB);
            assertThat(qmp.execute("x-load", "{'fill': " + 30 * MIB + "}")
                            .path("held")
                            .asLong())
                    .isEqualTo(40 * MIB);
            assertThat(qmp.execute("x-verify").path("wrong").asInt()).isZero();
        }
    }

    @Test
    void aBackEndThatDiesIsToldAndTheGuestGoesOn() throws Exception {
        try (BalloonBackEnd mortal = new BalloonBackEnd(folder.resolve("mortal"));
                EmbeddedGuest guest = EmbeddedGuest.start(options().withBalloon(mortal.socket));
                QmpClient qmp = client(guest)) {
            qmp.execute("x-load", "{'fill': " + 10 * MIB + ", 'churn': 1000, 'checks': 1000}");
            mortal.runOnLoop(() -> mortal.balloon.setNumPages(5000));
            await().atMost(LIMIT).until(() -> mortal.onLoop(mortal.balloon::actual) == 5000);
            mortal.disconnect();
            await().atMost(LIMIT).until(() -> qmp.execute("x-balloon").has("broken"));
            qmp.execute("stop");
            qmp.execute("cont");
            assertThat(qmp.execute("x-verify").path("wrong").asInt()).isZero();
            qmp.execute("device_del", "{'id': 'balloon0'}");
            qmp.await("DEVICE_DELETED");
            assertThat(qmp.execute("x-load").path("free").asLong()).isEqualTo(PROGRAMS - 10 * MIB);
            assertThat(guest.failure()).isNull();
        }
    }
}
