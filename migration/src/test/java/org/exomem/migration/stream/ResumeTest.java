package org.exomem.migration.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.exomem.migration.ConnectionLostException;
import org.exomem.migration.HandoverUncertainException;
import org.exomem.migration.PeerFault;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.destination.MigrationReceiver;
import org.exomem.migration.stream.destination.ReceivedMigration;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.source.MigrationSender;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.Wire;
import org.exomem.migration.stream.wire.tls.CertificateSecurity;
import org.exomem.migration.stream.wire.tls.Pki;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A network that is cut and comes back: data that the destination has counts, and uncertain data is sent again. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class ResumeTest {
    private static final Duration WITHIN = Duration.ofSeconds(20);
    private static final StreamOptions OPTIONS =
            StreamOptions.defaults().withChannels(2).withResumeWithin(WITHIN);

    private final Held before = Held.now();
    private final TestSource source = new TestSource(64, 11);
    private final AtomicLong cutAfter = new AtomicLong(Long.MAX_VALUE);
    private final AtomicInteger cuts = new AtomicInteger();
    private TestDestination destination;
    private MigrationReceiver receiver;
    private Tampered way;

    ResumeTest() throws IOException {
        destination = new TestDestination(source.memory());
        receiver = listener(OPTIONS);
        way = cutter();
    }

    private void listen(StreamOptions options) throws IOException {
        way.close();
        receiver.close();
        destination.close();
        destination = new TestDestination(source.memory());
        receiver = listener(options);
        way = cutter();
    }

    private MigrationReceiver listener(StreamOptions options) throws IOException {
        return MigrationReceiver.listen(
                MigrationAddress.parse("127.0.0.1:0"), StreamSecurity.none(), options, destination);
    }

    /** One budget of bytes for all connections. The connection that uses it up is cut, in the middle of its data. */
    private Tampered cutter() throws IOException {
        return new Tampered(receiver.address(), (connection, offset, bytes) -> {
            long left = cutAfter.addAndGet(-bytes.remaining());
            if (left >= 0) {
                return true;
            }
            cutAfter.set(Long.MAX_VALUE);
            cuts.incrementAndGet();
            bytes.limit((int) Math.max(bytes.position(), bytes.limit() + left));
            return false;
        });
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        way.close();
        receiver.close();
        destination.close();
        before.awaitSame();
    }

    private MigrationSender connect(StreamOptions options) throws IOException {
        return MigrationSender.connect(
                way.address(), StreamSecurity.none(), options, source.memory(), new BandwidthLimit(0));
    }

    private interface Step {
        void run() throws IOException;
    }

    /** Does a step that may be cut off; connects again and repeats it until it is complete. */
    private static boolean untilDone(MigrationSender sender, Step step) throws IOException {
        while (true) {
            try {
                step.run();
                return false;
            } catch (PeerFault | StreamFault | HandoverUncertainException e) {
                throw e;
            } catch (IOException e) {
                if (sender.reconnect(WITHIN).isReady()) {
                    return true;
                }
            }
        }
    }

    private void migrateOver(MigrationSender sender) throws IOException {
        untilDone(sender, () -> {
            source.sendAll(sender, 3);
            sender.endRound();
        });
        boolean ready = untilDone(sender, () -> {
            sender.channels().getFirst().pages(5, source.pages(5, 1));
            sender.endRound();
            try (OutputStream state = sender.deviceState("cpu")) {
                state.write(new byte[3000]);
            }
            sender.finish();
        });
        assertThat(ready || destination.ready).isTrue();
        try {
            sender.handOver();
        } catch (HandoverUncertainException e) {
            assertThat(sender.reconnect(WITHIN).isReady()).isTrue();
            sender.handOver();
        }
    }

    @Test
    @Tag("STR-RES-3")
    @Tag("STR-RES-4")
    void aMigrationThatIsCutAnywhereGoesOn() throws Exception {
        SplittableRandom random = new SplittableRandom(5);
        for (int i = 0; i < 40; i++) {
            if (i > 0) {
                listen(OPTIONS);
            }
            long at = random.nextLong(source.content.length + 12_000L);
            cuts.set(0);
            try (MigrationSender sender = connect(OPTIONS)) {
                cutAfter.set(at);
                migrateOver(sender);
                ReceivedMigration received = receiver.receive();
                assertThat(received.rounds()).as("cut after %d bytes", at).isGreaterThanOrEqualTo(2);
            }
            assertThat(destination.content()).as("cut after %d bytes", at).isEqualTo(source.content);
            assertThat(destination.state("cpu")).as("cut after %d bytes", at).hasSize(3000);
            assertThat(destination.started).isTrue();
            assertThat(destination.failures).isEmpty();
        }
    }

    @Test
    @Tag("STR-RES-1")
    void aSourceThatDoesNotComeBackIsGivenUp() throws Exception {
        StreamOptions impatient = OPTIONS.withResumeWithin(Duration.ofMillis(300));
        listen(impatient);
        try (MigrationSender sender = connect(OPTIONS)) {
            cutAfter.set(10_000);
            assertThatThrownBy(() -> {
                        source.sendAll(sender, 3);
                        sender.endRound();
                    })
                    .isInstanceOf(IOException.class);
            assertThatThrownBy(receiver::receive)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("did not reconnect within 300 ms");
            assertThat(destination.failures).hasSize(1);
            assertThat(destination.closed).isTrue();
            assertThatThrownBy(() -> sender.reconnect(WITHIN))
                    .isInstanceOf(PeerFault.class)
                    .hasMessageContaining("ended this migration");
        }
    }

    @Test
    void aSourceThatFindsNobodyGivesUp() throws Exception {
        try (MigrationSender sender = connect(OPTIONS)) {
            way.close();
            assertThatThrownBy(() -> {
                        source.sendAll(sender, 3);
                        sender.endRound();
                    })
                    .isInstanceOf(IOException.class);
            assertThatThrownBy(() -> sender.reconnect(Duration.ofMillis(300)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("can't reach a destination");
        }
    }

    @Test
    @Tag("STR-RES-2")
    void aStrangerCannotTakeAMigrationOver() throws Exception {
        try (MigrationSender sender = connect(OPTIONS);
                RawSource stranger = new RawSource(receiver.address())) {
            stranger.offered = 2;
            stranger.channels = 2;
            stranger.greet(0, 0).say(17, 0, 0, new byte[0]);
            assertThat(stranger.hear().text()).contains("does not know that migration");
            source.migrate(sender, 3);
            receiver.receive();
            assertThat(destination.content()).isEqualTo(source.content);
        }
    }

    @Test
    @Tag("STR-RES-5")
    void destinationThatIsCutOffWhileItGetsReadyIsReadyOnce() throws Exception {
        destination.whileGettingReady = () -> {
            way.cut();
            // The destination is busy, so it notices the cut when the source is back.
            return destination.lost.await(WITHIN.toSeconds(), TimeUnit.SECONDS);
        };
        try (MigrationSender sender = connect(OPTIONS)) {
            source.sendAll(sender, 3);
            sender.endRound();
            assertThatThrownBy(sender::finish).isInstanceOf(ConnectionLostException.class);
            assertThat(sender.reconnect(WITHIN)).isEqualTo(new MigrationSender.ResumePoint(1, true));
            sender.handOver();
            receiver.receive();
        }
        assertThat(destination.timesReady).isEqualTo(1);
        assertThat(destination.content()).isEqualTo(source.content);
    }

    @Test
    @Tag("STR-RES-6")
    @Tag("STR-END-4")
    void sourceThatHasLetGoDoesNotTakeARefusalForAnAnswer() throws Exception {
        try (MigrationSender sender = connect(OPTIONS)) {
            source.sendAll(sender, 3);
            sender.endRound();
            sender.finish();
            destination.refuses = "start";
            cutAfter.set(0);
            assertThatThrownBy(sender::handOver).isInstanceOf(HandoverUncertainException.class);
            MigrationAddress same = receiver.address();
            receiver.close();
            try (TestDestination other = new TestDestination(source.memory());
                    MigrationReceiver another = MigrationReceiver.listen(same, StreamSecurity.none(), OPTIONS, other)) {
                assertThatThrownBy(() -> sender.reconnect(WITHIN))
                        .isInstanceOf(HandoverUncertainException.class)
                        .hasMessageContaining("does not know that migration")
                        .hasMessageContaining("never let both run");
                assertThat(another.address()).isEqualTo(same);
            }
        }
    }

    /** Uses one certificate, then another. */
    private static final class Changing implements StreamSecurity {
        private final StreamSecurity first;
        private final StreamSecurity second;
        volatile boolean changed;

        Changing(StreamSecurity first, StreamSecurity second) {
            this.first = first;
            this.second = second;
        }

        private StreamSecurity now() {
            return changed ? second : first;
        }

        @Override
        public boolean protects() {
            return true;
        }

        @Override
        public Wire outgoing(SocketChannel socket, MigrationAddress to) throws IOException {
            return now().outgoing(socket, to);
        }

        @Override
        public Wire incoming(SocketChannel socket) throws IOException {
            return now().incoming(socket);
        }
    }

    @Test
    @Tag("STR-RES-2")
    @Tag("STR-SEC-4")
    void anotherHostThatKnowsTheMigrationsNumberCannotTakeItOver(@TempDir Path folder) throws Exception {
        Pki pki = Pki.in(folder);
        Changing here = new Changing(
                CertificateSecurity.of(pki.addHost("hosta")), CertificateSecurity.of(pki.addHost("hostc")));
        try (TestDestination kept = new TestDestination(source.memory());
                MigrationReceiver there = MigrationReceiver.listen(
                        MigrationAddress.parse("127.0.0.1:0"),
                        CertificateSecurity.of(pki.addHost("127.0.0.1")),
                        OPTIONS,
                        kept);
                Tampered between = new Tampered(there.address(), (connection, offset, bytes) -> true);
                MigrationSender sender = MigrationSender.connect(
                        between.address(), here, OPTIONS, source.memory(), new BandwidthLimit(0))) {
            source.sendAll(sender, 3);
            between.cut();
            assertThatThrownBy(sender::endRound).isInstanceOf(ConnectionLostException.class);
            here.changed = true;
            assertThatThrownBy(() -> sender.reconnect(WITHIN))
                    .isInstanceOf(PeerFault.class)
                    .hasMessageContaining("hosta")
                    .hasMessageContaining("hostc");
            here.changed = false;
            assertThat(sender.reconnect(WITHIN).rounds()).isZero();
            source.migrate(sender, 3);
            there.receive();
            assertThat(kept.content()).isEqualTo(source.content);
        }
    }
}
