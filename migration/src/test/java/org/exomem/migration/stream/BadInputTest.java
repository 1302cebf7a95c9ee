package org.exomem.migration.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.exomem.linux.Fd;
import org.exomem.linux.UnixSockets;
import org.exomem.migration.GuestGivenBackException;
import org.exomem.migration.PeerFault;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.destination.MigrationReceiver;
import org.exomem.migration.stream.format.MemoryDescription;
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
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Sources and destinations that are wrong, each in its own way. Both ends report that, and use nothing of the wrong
 * data.
 */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class BadInputTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private static final byte[] NOTHING = {};
    private static final byte[] PAGE = new byte[4096];
    private static final MigrationAddress ANY_PORT = MigrationAddress.parse("127.0.0.1:0");

    @TempDir
    Path folder;

    private final Held before = Held.now();
    private final TestSource source = new TestSource(16, 3);
    private final StreamOptions options = StreamOptions.defaults().withFeatures(Set.of(), Set.of());
    private final TestDestination destination;
    private MigrationReceiver receiver;

    BadInputTest() throws IOException {
        destination = new TestDestination(RawMemory.of(16));
        receiver = MigrationReceiver.listen(ANY_PORT, StreamSecurity.none(), options, destination);
        Arrays.fill(PAGE, (byte) 7);
    }

    @AfterEach
    void nothingIsLeft() {
        receiver.close();
        destination.close();
        before.awaitSame();
    }

    /** The raw source's memory: one file. */
    private static final class RawMemory {
        static MemoryDescription of(int pages) {
            return new MemoryDescription(
                    4096, List.of(new MemoryDescription.MemoryFile("pc.ram", pages * 4096L, 4096)));
        }
    }

    @Test
    void socketThatAnotherProcessMadeInTheSamePlaceIsLeftAlone() throws Exception {
        receiver.close();
        Path socket = folder.resolve("migration");
        receiver = MigrationReceiver.listen(
                MigrationAddress.parse("unix:" + socket), StreamSecurity.none(), options, destination);
        Files.delete(socket);
        try (Fd _ = UnixSockets.listen(socket, 1)) {
            receiver.close();
            assertThat(socket).exists();
        }
    }

    private void listenAgain(StreamSecurity security, StreamOptions other) throws IOException {
        receiver.close();
        receiver = MigrationReceiver.listen(ANY_PORT, security, other, destination);
    }

    private RawSource accepted() throws IOException {
        RawSource main = new RawSource(receiver.address()).greet(0, 0);
        main.say(RawSource.MEMORY, 0, 0, RawSource.memory(4096, 16 * 4096));
        assertThat(main.hear().type()).isEqualTo(RawSource.ACCEPTED);
        return main;
    }

    private RawSource dataOf(RawSource main) throws IOException {
        RawSource data = new RawSource(receiver.address());
        data.id = main.id;
        data.greet(1, 0);
        assertThat(data.hear().type()).isEqualTo(RawSource.ACCEPTED);
        return data;
    }

    /** Fails unless the migration ends at both ends for this reason, with nothing applied. */
    private void assertFails(RawSource main, String reason) throws IOException {
        RawSource.Chunk said = main.hear();
        assertThat(said.type()).isEqualTo(RawSource.ERROR);
        assertThat(said.text()).contains(reason);
        main.close();
        assertThatThrownBy(receiver::receive).isInstanceOf(IOException.class).hasMessageContaining(reason);
        assertThat(destination.failures)
                .singleElement()
                .satisfies(e -> assertThat(e).hasMessageContaining(reason));
        assertThat(destination.closed).isTrue();
        assertThat(destination.started).isFalse();
        assertThat(destination.content()).containsOnly(0);
    }

    /** Fails unless the source is refused with this reason, and the destination still waits for a real source. */
    private void assertTurnedAway(RawSource raw, String reason) throws Exception {
        RawSource.Chunk said = raw.hear();
        assertThat(said.type()).isEqualTo(RawSource.ERROR);
        assertThat(said.text()).contains(reason);
        raw.close();
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(destination.turnedAway)
                        .singleElement()
                        .satisfies(e -> assertThat(e).hasMessageContaining(reason)));
        assertThat(destination.failures).isEmpty();
        aRealSourceIsServed();
    }

    private void aRealSourceIsServed() throws Exception {
        try (MigrationSender sender = MigrationSender.connect(
                receiver.address(), StreamSecurity.none(), options, RawMemory.of(16), new BandwidthLimit(0))) {
            source.migrate(sender, 4);
        }
        receiver.receive();
        assertThat(destination.content()).isEqualTo(source.content);
    }

    private byte[] sayOnData(RawSource data, int type, long first, long count, byte[] payload) throws IOException {
        byte[] chunk = data.chunk(type, first, count, payload);
        data.send(chunk);
        return chunk;
    }

    @Test
    @Tag("STR-PRE-2")
    void anotherVersionIsTurnedAwayWithBothVersions() throws Exception {
        RawSource raw = new RawSource(receiver.address());
        raw.version = 3;
        raw.oldest = 2;
        assertTurnedAway(
                raw.greet(0, 0), "supports versions 2 to 3 of the migration stream, this end supports version 1");
    }

    @Test
    @Tag("STR-PRE-4")
    void theDestinationRepeatsWhichConnectionItIs() throws Exception {
        try (RawSource main = new RawSource(receiver.address())) {
            main.channels = 3;
            main.greet(1, 2);
            assertThat(main.answer.getShort(12)).isEqualTo((short) 1);
            assertThat(main.answer.getShort(14)).isEqualTo((short) 2);
            assertThat(main.answer.getInt(56)).isEqualTo(3);
            byte[] migration = new byte[16];
            main.answer.get(32, migration);
            assertThat(migration).isEqualTo(main.id);
        }
    }

    @Test
    @Tag("STR-PRE-4")
    void aPreambleThatCouldNotBeReadIsAnsweredByOneOfZerosAndAnError() throws Exception {
        RawSource raw = new RawSource(receiver.address());
        raw.channels = 0;
        raw.greet(0, 0);
        assertThat(raw.answer.getShort(12)).isZero();
        assertThat(raw.answer.getShort(14)).isZero();
        assertThat(raw.answer.getLong(32) | raw.answer.getLong(40)).isZero();
        assertTurnedAway(raw, "requests 0 data connections");
    }

    @Test
    @Tag("STR-PRE-2")
    void aNewerVersionThatStillSpeaksOursIsServed() throws Exception {
        try (RawSource raw = new RawSource(receiver.address())) {
            raw.version = 9;
            raw.greet(0, 0).say(RawSource.MEMORY, 0, 0, RawSource.memory(4096, 16 * 4096));
            assertThat(raw.hear().type()).isEqualTo(RawSource.ACCEPTED);
        }
    }

    @Test
    @Tag("STR-PRE-3")
    void aFeatureThatTheDestinationDoesNotHaveIsNamed() throws Exception {
        RawSource raw = new RawSource(receiver.address());
        raw.offered = 1L << 40;
        raw.required = 1L << 40;
        assertTurnedAway(raw.greet(0, 0), "requires the unknown feature 40");
    }

    @Test
    @Tag("STR-PRE-3")
    void aFeatureThatTheOtherEndLacksIsNamedAtBothEnds() throws Exception {
        StreamOptions wanting = options.withFeatures(EnumSet.of(StreamFeature.ZSTD), EnumSet.of(StreamFeature.ZSTD));
        assertThatThrownBy(() -> MigrationSender.connect(
                        receiver.address(), StreamSecurity.none(), wanting, source.memory(), new BandwidthLimit(0)))
                .isInstanceOf(StreamFault.class)
                .hasMessageContaining("feature ZSTD");
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(destination.turnedAway)
                        .singleElement()
                        .satisfies(e -> assertThat(e).hasMessageContaining("feature ZSTD")));
        aRealSourceIsServed();
    }

    @Test
    @Tag("STR-PRE-1")
    void whoSpeaksSomethingElseIsTurnedAway() throws Exception {
        try (SocketChannel socket = SocketChannel.open(receiver.address().resolve())) {
            socket.write(ByteBuffer.wrap("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII)));
            await().atMost(LIMIT).until(() -> !destination.turnedAway.isEmpty());
        }
        assertThat(destination.turnedAway.getFirst()).hasMessageContaining("does not use exomem's migration stream");
        aRealSourceIsServed();
    }

    @Test
    @Tag("STR-PRE-6")
    void whoSaysNothingIsTurnedAwayInTime() throws Exception {
        listenAgain(StreamSecurity.none(), options.withPatience(Duration.ofMillis(300)));
        try (SocketChannel socket = SocketChannel.open(receiver.address().resolve())) {
            await().atMost(LIMIT).until(() -> !destination.turnedAway.isEmpty());
            assertThat(socket.read(ByteBuffer.allocate(1))).isLessThan(0);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {16, 1L << 62, -1, Long.MIN_VALUE, Long.MAX_VALUE})
    @Tag("STR-CHUNK-5")
    void pagesOutsideOfMemoryAreRefused(long first) throws Exception {
        try (RawSource main = accepted();
                RawSource data = dataOf(main)) {
            sayOnData(data, RawSource.PAGES, first, 1, PAGE);
            assertFails(main, "outside of a memory of 16 pages");
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 17, -1, Long.MIN_VALUE, Long.MAX_VALUE})
    @Tag("STR-CHUNK-5")
    void runsThatReachBeyondMemoryAreRefused(long count) throws Exception {
        try (RawSource main = accepted();
                RawSource data = dataOf(main)) {
            sayOnData(data, RawSource.ZEROS, 0, count, NOTHING);
            assertFails(main, "outside of a memory of 16 pages");
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {2, 0, -1, 1L << 52, Long.MIN_VALUE})
    @Tag("STR-CHUNK-6")
    void countsThatDoNotFitTheLengthAreRefused(long count) throws Exception {
        try (RawSource main = accepted();
                RawSource data = dataOf(main)) {
            sayOnData(data, RawSource.PAGES, 0, count, PAGE);
            assertFails(
                    main, count == 2 ? "a chunk of 2 pages of 4096 bytes has 4096 bytes" : "pages; it must have 1 to");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, (1 << 20) + 1, -1, Integer.MIN_VALUE})
    @Tag("STR-CHUNK-1")
    @Tag("STR-CHUNK-2")
    void lengthsThatNoChunkHasAreRefusedBeforeAnythingElseIsRead(int length) throws Exception {
        try (RawSource main = accepted();
                RawSource data = dataOf(main)) {
            data.send(RawSource.chunk(RawSource.PAGES, 0, length, data.sequence, 0, 1, NOTHING));
            assertFails(main, "has a length of");
        }
    }

    @Test
    @Tag("STR-CHUNK-1")
    void aChunkThatComesTwiceIsRefused() throws Exception {
        try (RawSource main = accepted();
                RawSource data = dataOf(main)) {
            byte[] chunk = sayOnData(data, RawSource.ZEROS, 1, 1, NOTHING);
            data.send(chunk);
            assertFails(main, "was lost, duplicated or reordered");
        }
    }

    @Test
    @Tag("STR-CHUNK-1")
    void chunksInAnotherOrderAreRefused() throws Exception {
        try (RawSource main = accepted();
                RawSource data = dataOf(main)) {
            byte[] first = data.chunk(RawSource.PAGES, 1, 1, PAGE);
            data.send(data.chunk(RawSource.PAGES, 2, 1, PAGE));
            data.send(first);
            assertFails(main, "was lost, duplicated or reordered");
        }
    }

    @Test
    @Tag("STR-PRE-5")
    void theRecordingOfAnotherStreamIsRefused() throws Exception {
        RawSource raw = new RawSource(receiver.address()).greet(0, 0);
        raw.sequence += 12345;
        raw.say(RawSource.MEMORY, 0, 0, RawSource.memory(4096, 16 * 4096));
        assertTurnedAway(raw, "recording of another stream");
    }

    @Test
    @Tag("STR-CHUNK-1")
    @Tag("STR-CHUNK-7")
    void flagsAndTypesThatNobodyAgreedOnAreRefused() throws Exception {
        try (RawSource main = accepted();
                RawSource data = dataOf(main)) {
            data.send(RawSource.chunk(RawSource.PAGES, 1, 4096, data.sequence, 0, 1, PAGE));
            assertFails(main, "compressed although it must not be");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 14, 18, 19, 200})
    @Tag("STR-CHUNK-4")
    void typesThatDoNotBelongThereAreRefused(int type) throws Exception {
        try (RawSource main = accepted();
                RawSource data = dataOf(main)) {
            sayOnData(data, type, 0, 0, NOTHING);
            RawSource.Chunk said = main.hear();
            assertThat(said.type()).isEqualTo(RawSource.ERROR);
            assertThat(said.text()).containsAnyOf("which is unknown", "the source sent");
        }
    }

    @Test
    @Tag("STR-CHUNK-4")
    void heardBeforeRunningWasSentIsRefused() throws Exception {
        try (RawSource main = accepted()) {
            main.say(RawSource.HEARD, 0, 0, NOTHING);
            assertFails(main, "HEARD arrived before RUNNING was sent");
        }
    }

    @Test
    @Tag("STR-END-1")
    void anEndWithinARoundIsRefused() throws Exception {
        try (RawSource main = accepted();
                RawSource data = dataOf(main)) {
            sayOnData(data, RawSource.ZEROS, 0, 1, NOTHING);
            sayOnData(data, RawSource.END, 0, 0, NOTHING);
            assertFails(main, "ended within a round");
        }
    }

    @Test
    @Tag("STR-ERR-3")
    void aSourceThatFallsSilentIsGivenUpAndHearsSignsOfLifeUntilThen() throws Exception {
        listenAgain(StreamSecurity.none(), options.withPatience(Duration.ofMillis(400)));
        try (RawSource main = accepted()) {
            for (int i = 0; i < 3; i++) {
                assertThat(main.hearAny().type()).isEqualTo(RawSource.ALIVE);
            }
            assertFails(main, "the source has sent nothing for too long");
        }
    }

    @Test
    @Tag("STR-DIG-4")
    void aRoundWithAnotherDigestIsRefused() throws Exception {
        try (RawSource main = accepted();
                RawSource data = dataOf(main)) {
            sayOnData(data, RawSource.ROUND_END, 1, 0, new byte[32]);
            assertFails(main, "their digests differ");
        }
    }

    @Test
    @Tag("STR-END-2")
    void aSourceThatLetsGoTooEarlyIsRefused() throws Exception {
        try (RawSource main = accepted()) {
            main.say(RawSource.GO, 0, 0, NOTHING);
            assertFails(main, "handed over a guest that was not ready");
        }
    }

    @Test
    @Tag("STR-MEM-1")
    void aDescriptionOfMemoryThatLiesIsRefused() throws Exception {
        RawSource raw = new RawSource(receiver.address()).greet(0, 0);
        raw.say(RawSource.MEMORY, 0, 0, RawSource.memory(4097, 16 * 4096));
        assertTurnedAway(raw, "a page has 4097 bytes");
    }

    @Test
    @Tag("STR-ERR-5")
    void aSecondMigrationIsToldOfTheFirst() throws Exception {
        try (RawSource first = accepted()) {
            assertThatThrownBy(() -> MigrationSender.connect(
                            receiver.address(),
                            StreamSecurity.none(),
                            options,
                            RawMemory.of(16),
                            new BandwidthLimit(0)))
                    .isInstanceOf(PeerFault.class)
                    .hasMessageContaining("receiving another migration");
            assertThat(destination.failures).isEmpty();
            try (RawSource data = dataOf(first)) {
                sayOnData(data, RawSource.PAGES, 0, 1, PAGE);
                await().atMost(LIMIT).until(() -> destination.content()[0] == 7);
            }
        }
    }

    @Test
    @Tag("STR-MEM-3")
    void aDestinationWithOtherMemorySaysWhatDiffers() throws Exception {
        assertThatThrownBy(() -> MigrationSender.connect(
                        receiver.address(), StreamSecurity.none(), options, RawMemory.of(17), new BandwidthLimit(0)))
                .isInstanceOf(PeerFault.class)
                .hasMessageContaining("not this memory: ")
                .hasMessageContaining("size=69632");
        aRealSourceIsServed();
    }

    @ParameterizedTest
    @ValueSource(strings = {"pages", "state", "ready", "start"})
    @Tag("STR-ERR-1")
    @Tag("STR-END-2")
    void aDestinationThatCannotGoOnSaysWhy(String what) throws Exception {
        destination.refuses = what;
        try (MigrationSender sender = MigrationSender.connect(
                receiver.address(), StreamSecurity.none(), options, RawMemory.of(16), new BandwidthLimit(0))) {
            assertThatThrownBy(() -> source.migrate(sender, 4))
                    .isInstanceOf(what.equals("start") ? GuestGivenBackException.class : PeerFault.class)
                    .hasMessageContaining("no " + what + " today");
        }
        assertThatThrownBy(receiver::receive)
                .isInstanceOf(IOException.class)
                .hasMessageContaining("no " + what + " today");
        assertThat(destination.started).isFalse();
        assertThat(destination.failures).hasSize(1);
        assertThat(destination.closed).isTrue();
    }

    @Test
    @Tag("STR-ERR-1")
    @Tag("STR-END-5")
    void aSourceThatGivesUpSaysWhy() throws Exception {
        MigrationSender sender = MigrationSender.connect(
                receiver.address(), StreamSecurity.none(), options, RawMemory.of(16), new BandwidthLimit(0));
        source.sendAll(sender, 4);
        sender.abort("the user cancelled it");
        assertThatThrownBy(receiver::receive)
                .isInstanceOf(PeerFault.class)
                .hasMessageContaining("the user cancelled it");
        assertThat(destination.failures).hasSize(1);
    }

    @Test
    @Tag("STR-ERR-1")
    void aDestinationThatIsStoppedSaysSo() throws Exception {
        try (MigrationSender sender = MigrationSender.connect(
                receiver.address(), StreamSecurity.none(), options, RawMemory.of(16), new BandwidthLimit(0))) {
            Thread stopping = Thread.ofPlatform().start(receiver::close);
            assertThatThrownBy(() -> {
                        while (true) {
                            source.sendAll(sender, 4);
                            sender.endRound();
                        }
                    })
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("stopped");
            sender.close();
            stopping.join();
        }
        assertThat(destination.failures).hasSize(1);
    }

    @Test
    @Tag("STR-ERR-4")
    void aDestinationThatFallsSilentIsGivenUp() throws Exception {
        try (ServerSocketChannel deaf = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0))) {
            int port = ((InetSocketAddress) deaf.getLocalAddress()).getPort();
            assertThatThrownBy(() -> MigrationSender.connect(
                            new MigrationAddress.Network("127.0.0.1", port),
                            StreamSecurity.none(),
                            options.withPatience(Duration.ofMillis(300)),
                            source.memory(),
                            new BandwidthLimit(0)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("did not answer within 300 ms");
        }
    }

    private CertificateSecurity host(String pki, String name) throws IOException {
        return CertificateSecurity.of(Pki.in(folder.resolve(pki)).addHost(name));
    }

    private void assertNoTrust(StreamSecurity atSource, StreamSecurity atDestination, String source, String other)
            throws Exception {
        listenAgain(atDestination, options);
        assertThatThrownBy(() -> MigrationSender.connect(
                        receiver.address(), atSource, options, RawMemory.of(16), new BandwidthLimit(0)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(source);
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(destination.turnedAway)
                        .singleElement()
                        .satisfies(e -> assertThat(e).hasMessageContaining(other)));
        assertThat(destination.failures).isEmpty();
    }

    @Test
    @Tag("STR-SEC-2")
    void aDestinationOfAnotherAuthorityIsNotTrusted() throws Exception {
        assertNoTrust(
                host("a", "127.0.0.1"), host("b", "127.0.0.1"), "can't be trusted", "rejected this end's certificate");
    }

    @Test
    @Tag("STR-SEC-2")
    void aDestinationWithTheCertificateOfAnotherHostIsNotTrusted() throws Exception {
        assertNoTrust(
                host("a", "127.0.0.1"), host("a", "10.1.2.3"), "can't be trusted", "rejected this end's certificate");
    }

    @Test
    @Tag("STR-SEC-2")
    void aSourceOfAnotherAuthorityIsNotTrusted() throws Exception {
        Path mixed = Pki.in(folder.resolve("b")).addHost("127.0.0.1");
        Path right = Pki.in(folder.resolve("a")).addHost("127.0.0.1");
        Files.copy(
                right.resolve(Pki.CA_CERTIFICATE),
                mixed.resolve(Pki.CA_CERTIFICATE),
                StandardCopyOption.REPLACE_EXISTING);
        assertNoTrust(
                CertificateSecurity.of(mixed),
                CertificateSecurity.of(right),
                "rejected this end's certificate",
                "no certificate of a CA that this end trusts");
    }

    @Test
    @Tag("STR-SEC-3")
    void anotherKeyIsRefused() throws Exception {
        byte[] other = new byte[32];
        other[31] = 1;
        assertNoTrust(
                new PskSecurity(new PreSharedKey("k", other)),
                new PskSecurity(new PreSharedKey("k", new byte[32])),
                "rejected the pre-shared key",
                "another pre-shared key");
    }

    @Test
    @Tag("STR-SEC-3")
    void anotherIdentityIsRefused() throws Exception {
        assertNoTrust(
                new PskSecurity(new PreSharedKey("mine", new byte[32])),
                new PskSecurity(new PreSharedKey("yours", new byte[32])),
                "another pre-shared key",
                "pre-shared key");
    }

    @Test
    void aKeyAgainstCertificatesIsRefused() throws Exception {
        assertNoTrust(
                new PskSecurity(new PreSharedKey("mine", new byte[32])),
                host("a", "127.0.0.1"),
                "another pre-shared key",
                "TLS");
    }

    @Test
    void plainTextAgainstTlsIsRefused() throws Exception {
        assertNoTrust(
                StreamSecurity.none(), host("a", "127.0.0.1"), "uses TLS, but this end does not", "does not use TLS");
    }

    @Test
    void tlsAgainstPlainTextIsRefused() throws Exception {
        assertNoTrust(
                host("a", "127.0.0.1"), StreamSecurity.none(), "does not use TLS", "uses TLS, but this end does not");
    }
}
