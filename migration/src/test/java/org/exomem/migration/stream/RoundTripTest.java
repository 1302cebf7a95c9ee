package org.exomem.migration.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.exomem.migration.stream.destination.MigrationReceiver;
import org.exomem.migration.stream.destination.ReceivedMigration;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.source.MigrationSender;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.tls.CertificateSecurity;
import org.exomem.migration.stream.wire.tls.Pki;
import org.exomem.migration.stream.wire.tls.PreSharedKey;
import org.exomem.migration.stream.wire.tls.PskSecurity;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Everything that the source sends arrives at the destination, over every kind of connection. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class RoundTripTest {
    private static final MigrationAddress ANY_PORT = MigrationAddress.parse("127.0.0.1:0");

    @TempDir
    Path folder;

    private final Held before = Held.now();
    private final TestSource source = new TestSource(701, 42);

    @BeforeEach
    void nothingIsLeftFromBefore() {
        assertThat(Held.migrationThreads()).isEmpty();
    }

    @AfterEach
    void nothingIsLeft() {
        before.awaitSame();
    }

    record Way(String kind, int channels, Set<StreamFeature> features, int run) {}

    static Stream<Way> ways() {
        Set<StreamFeature> none = EnumSet.noneOf(StreamFeature.class);
        return Stream.of("unix", "tcp", "certificates", "key")
                .flatMap(kind -> Stream.of(
                        new Way(kind, 1, none, 1),
                        new Way(kind, 1, none, 701),
                        new Way(kind, 3, Set.of(StreamFeature.RESUME), 7),
                        new Way(kind, 2, Set.of(StreamFeature.ZSTD), 64)));
    }

    private StreamSecurity security(String kind) throws IOException {
        return switch (kind) {
            case "certificates" -> {
                Pki pki = Pki.in(folder.resolve("pki"));
                yield CertificateSecurity.of(pki.addHost("127.0.0.1"));
            }
            case "key" -> new PskSecurity(new PreSharedKey("both", new byte[32]));
            default -> StreamSecurity.none();
        };
    }

    @ParameterizedTest
    @MethodSource("ways")
    void memoryAndDeviceStatesArriveAsTheyWere(Way way) throws Exception {
        StreamOptions options =
                StreamOptions.defaults().withChannels(way.channels).withFeatures(way.features, way.features);
        MigrationAddress at =
                way.kind.equals("unix") ? MigrationAddress.parse("unix:" + folder.resolve("socket")) : ANY_PORT;
        StreamSecurity security = security(way.kind);
        try (TestDestination destination = new TestDestination(source.memory());
                MigrationReceiver receiver = MigrationReceiver.listen(at, security, options, destination);
                MigrationSender sender = MigrationSender.connect(
                        receiver.address(), security, options, source.memory(), new BandwidthLimit(0))) {
            assertThat(sender.features()).isEqualTo(way.features);
            source.migrate(sender, way.run);
            ReceivedMigration received = receiver.receive();
            assertThat(destination.content()).isEqualTo(source.content);
            assertThat(destination.state("cpu")).containsExactly(1, 2, 3);
            assertThat(destination.state("qemu")).isEqualTo(source.content);
            assertThat(destination.started).isTrue();
            assertThat(destination.closed).isTrue();
            assertThat(destination.failures).isEmpty();
            assertThat(received.rounds()).isEqualTo(2);
            assertThat(received.pages() + received.zeros()).isEqualTo(702);
            if (way.features.contains(StreamFeature.ZSTD)) {
                assertThat(sender.sent()).isLessThan(source.content.length * 2L / 3);
            } else if (way.run > 1) {
                assertThat(sender.sent()).isBetween((long) source.content.length, source.content.length * 102L / 100);
            }
        }
        assertThat(Files.exists(folder.resolve("socket"))).isFalse();
    }

    @Test
    @Tag("STR-RND-1")
    @Tag("STR-RND-2")
    @Tag("STR-MEM-5")
    void whatIsSentInALaterRoundWins() throws Exception {
        StreamOptions options = StreamOptions.defaults().withChannels(2);
        try (TestDestination destination = new TestDestination(source.memory());
                MigrationReceiver receiver =
                        MigrationReceiver.listen(ANY_PORT, StreamSecurity.none(), options, destination);
                MigrationSender sender = MigrationSender.connect(
                        receiver.address(), StreamSecurity.none(), options, source.memory(), new BandwidthLimit(0))) {
            byte[] expected = new byte[source.content.length];
            for (int round = 0; round < 40; round++) {
                byte[] page = new byte[TestSource.PAGE];
                Arrays.fill(page, (byte) (round + 1));
                sender.channels().get(round % 2).pages(round % 5, MemorySegment.ofArray(page));
                System.arraycopy(page, 0, expected, round % 5 * page.length, page.length);
                sender.endRound();
            }
            sender.channels().get(0).zeros(0, 2);
            Arrays.fill(expected, 0, 2 * TestSource.PAGE, (byte) 0);
            sender.channels().get(1).free(3, 1);
            Arrays.fill(expected, 3 * TestSource.PAGE, 4 * TestSource.PAGE, (byte) 0);
            sender.endRound();
            sender.finish();
            sender.handOver();
            assertThat(receiver.receive().free()).isEqualTo(1);
            assertThat(destination.content()).isEqualTo(expected);
        }
    }

    @Test
    void aBandwidthLimitHoldsAndMayBeLifted() throws Exception {
        StreamOptions options = StreamOptions.defaults();
        BandwidthLimit limit = new BandwidthLimit(8 << 20);
        try (TestDestination destination = new TestDestination(source.memory());
                MigrationReceiver receiver =
                        MigrationReceiver.listen(ANY_PORT, StreamSecurity.none(), options, destination);
                MigrationSender sender = MigrationSender.connect(
                        receiver.address(), StreamSecurity.none(), options, source.memory(), limit)) {
            long start = System.nanoTime();
            source.sendAll(sender, 64);
            sender.endRound();
            double seconds = (System.nanoTime() - start) / 1e9;
            assertThat(sender.sent() / seconds).isLessThan(8.8 * (1 << 20));
            limit.set(BandwidthLimit.NONE);
            source.migrate(sender, 64);
            receiver.receive();
            assertThat(destination.content()).isEqualTo(source.content);
        }
    }

    @Test
    @Tag("STR-SEC-1")
    void memoryDoesNotTravelInTheClearToOtherHostsUnlessToldTo() throws Exception {
        MigrationAddress everywhere = MigrationAddress.parse("0.0.0.0:0");
        StreamOptions options = StreamOptions.defaults().withPatience(Duration.ofSeconds(1));
        try (TestDestination destination = new TestDestination(source.memory())) {
            assertThatThrownBy(() -> MigrationReceiver.listen(everywhere, StreamSecurity.none(), options, destination))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("without TLS")
                    .hasMessageContaining("exomem pki init");
            assertThatThrownBy(() -> MigrationSender.connect(
                            MigrationAddress.parse("192.0.2.1:4444"),
                            StreamSecurity.none(),
                            options,
                            source.memory(),
                            new BandwidthLimit(0)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("without TLS");
            try (MigrationReceiver receiver = MigrationReceiver.listen(
                    everywhere, StreamSecurity.none(), options.withPlainAllowed(true), destination)) {
                assertThat(receiver.address().toString()).startsWith("0.0.0.0:");
            }
        }
    }

    @Test
    @Tag("STR-END-6")
    @Tag("STR-END-7")
    void aDestinationThatClosesAtOnceHasToldTheSourceThatTheGuestRuns() throws Exception {
        StreamOptions options = StreamOptions.defaults();
        TestSource small = new TestSource(4, 1);
        for (int i = 0; i < 60; i++) {
            try (TestDestination destination = new TestDestination(small.memory());
                    MigrationReceiver receiver =
                            MigrationReceiver.listen(ANY_PORT, StreamSecurity.none(), options, destination)) {
                Thread closing = Thread.ofPlatform().start(() -> {
                    try (receiver) {
                        receiver.receive();
                    } catch (IOException e) {
                        destination.failures.add(e);
                    }
                });
                try (MigrationSender sender = MigrationSender.connect(
                        receiver.address(), StreamSecurity.none(), options, small.memory(), new BandwidthLimit(0))) {
                    small.migrate(sender, 2);
                }
                closing.join();
                assertThat(destination.failures).isEmpty();
            }
        }
    }

    @Test
    void addressesAreReadAsPeopleWriteThem() {
        assertThat(List.of("host:4444", "[::1]:1", "unix:/run/a", "10.0.0.1:0"))
                .allSatisfy(text -> assertThat(MigrationAddress.parse(text)).hasToString(text));
        assertThat(List.of("host", "host:", ":1", "host:65536", "::1:3", "unix:", "host:-1"))
                .allSatisfy(text -> assertThatThrownBy(() -> MigrationAddress.parse(text))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("HOST:PORT"));
    }
}
