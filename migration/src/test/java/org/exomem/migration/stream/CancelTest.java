package org.exomem.migration.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.exomem.migration.CancelToken;
import org.exomem.migration.ConnectionLostException;
import org.exomem.migration.MigrationCancelledException;
import org.exomem.migration.PeerFault;
import org.exomem.migration.stream.destination.Destination;
import org.exomem.migration.stream.destination.MigrationReceiver;
import org.exomem.migration.stream.destination.PageTarget;
import org.exomem.migration.stream.destination.ReceivedMigration;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.source.MigrationSender;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A destination that does not read must not delay a cancellation, the source's threads, or for long a paused guest. */
@Timeout(60)
class CancelTest {
    private static final StreamOptions OPTIONS = StreamOptions.defaults()
            .withFeatures(EnumSet.of(StreamFeature.RESUME, StreamFeature.ZSTD), Set.of(StreamFeature.ZSTD));

    private final Held before = Held.now();
    private final TestSource source = new TestSource(256, 8);
    private final CountDownLatch stuck = new CountDownLatch(1);
    private final CountDownLatch goesOn = new CountDownLatch(1);
    private final CancelToken cancel = new CancelToken();
    private TestDestination destination;
    private MigrationReceiver receiver;
    private MigrationSender sender;

    /** Blocks at the first content that arrives, until the test releases it. */
    private final class Stuck implements Destination {
        private void hold() throws IOException {
            stuck.countDown();
            try {
                goesOn.await();
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
        }

        @Override
        public PageTarget open(MemoryDescription memory, String from) throws IOException {
            PageTarget target = destination.open(memory, from);
            return new PageTarget() {
                @Override
                public void pages(long first, MemorySegment content) throws IOException {
                    hold();
                    target.pages(first, content);
                }

                @Override
                public void zeros(long first, long count) throws IOException {
                    hold();
                    target.zeros(first, count);
                }

                @Override
                public void free(long first, long count) throws IOException {
                    hold();
                    target.free(first, count);
                }

                @Override
                public void close() {
                    target.close();
                }
            };
        }

        @Override
        public OutputStream deviceState(String name) throws IOException {
            hold();
            return destination.deviceState(name);
        }

        @Override
        public void ready(ReceivedMigration received) {
            throw new AssertionError("not all was sent");
        }

        @Override
        public void start() {
            throw new AssertionError("not all was sent");
        }

        @Override
        public void failed(IOException why) {
            destination.failed(why);
        }
    }

    @BeforeEach
    void connect() throws IOException {
        listen();
        sender = sender(OPTIONS);
    }

    private void listen() throws IOException {
        destination = new TestDestination(source.memory());
        receiver = MigrationReceiver.listen(
                MigrationAddress.parse("127.0.0.1:0"), StreamSecurity.none(), OPTIONS, new Stuck());
    }

    private MigrationSender sender(StreamOptions options) throws IOException {
        return MigrationSender.connect(
                receiver.address(), StreamSecurity.none(), options, source.memory(), new BandwidthLimit(0), cancel);
    }

    /** Connects to a destination with this limit for each step. */
    private void connectFor(Duration limit) throws IOException {
        sender.close();
        receiver.close();
        destination.close();
        listen();
        sender = sender(OPTIONS.withAnswerWithin(limit));
    }

    @AfterEach
    void nothingIsLeft() {
        goesOn.countDown();
        sender.close();
        receiver.close();
        destination.close();
        before.awaitSame();
    }

    private static FutureTask<Void> start(Callable<Void> sending) {
        FutureTask<Void> started = new FutureTask<>(sending);
        Thread.ofPlatform().start(started);
        return started;
    }

    private void assertCancelled(FutureTask<Void> sending) throws InterruptedException {
        stuck.await();
        assertThat(cancel.cancel()).isTrue();
        assertThatThrownBy(sending::get)
                .isInstanceOf(ExecutionException.class)
                .hasCauseInstanceOf(MigrationCancelledException.class);
    }

    @Test
    @Tag("STR-ERR-1")
    void cancellingEndsWhatTravels() throws Exception {
        assertCancelled(start(() -> {
            while (true) {
                source.sendAll(sender, 16);
            }
        }));
        goesOn.countDown();
        assertThatThrownBy(receiver::receive)
                .isInstanceOf(PeerFault.class)
                .hasMessage("the source ended the migration: the migration was cancelled at the source");
        assertThat(destination.failures).hasSize(1);
    }

    @Test
    void cancellingEndsWaitingForTheDestination() throws Exception {
        assertCancelled(start(() -> {
            sender.channels().getFirst().zeros(0, 1);
            sender.endRound();
            return null;
        }));
        assertThatThrownBy(sender::endRound).isInstanceOf(MigrationCancelledException.class);
    }

    private void assertGivenUp(FutureTask<Void> sending, String why) {
        assertThatThrownBy(sending::get)
                .isInstanceOf(ExecutionException.class)
                .cause()
                .isInstanceOf(ConnectionLostException.class)
                .hasMessageContaining(why);
    }

    @Test
    @Tag("STR-ERR-4")
    void destinationThatLivesAndTakesNothingIsGivenUp() throws Exception {
        connectFor(Duration.ofMillis(200));
        assertGivenUp(
                start(() -> {
                    while (true) {
                        source.sendAll(sender, 16);
                    }
                }),
                "the destination has received none of the sent data for 200 ms");
    }

    @Test
    @Tag("STR-ERR-4")
    void destinationThatLivesAndTakesNoStateIsGivenUp() throws Exception {
        connectFor(Duration.ofMillis(200));
        assertGivenUp(
                start(() -> {
                    try (OutputStream state = sender.deviceState("vmm")) {
                        while (true) {
                            state.write(source.content);
                        }
                    }
                }),
                "the destination has received none of the sent data for 200 ms");
    }

    @Test
    @Tag("STR-ERR-4")
    @Tag("STR-RND-3")
    @Tag("STR-RND-4")
    void destinationThatLivesAndDoesNotAnswerIsGivenUp() throws Exception {
        connectFor(Duration.ofMillis(200));
        assertGivenUp(
                start(() -> {
                    sender.channels().getFirst().zeros(0, 1);
                    sender.endRound();
                    return null;
                }),
                "the destination did not send ROUND_DONE within 200 ms");
    }

    @Test
    void cancellingEndsSendingStateToADestinationThatDoesNotRead() throws Exception {
        assertCancelled(start(() -> {
            try (OutputStream state = sender.deviceState("vmm")) {
                while (true) {
                    state.write(source.content);
                }
            }
        }));
    }

    @Test
    void destinationThatIsCancelledEndsOnItsOwnThread() throws Exception {
        FutureTask<Void> sending = start(() -> {
            source.sendAll(sender, 16);
            sender.endRound();
            return null;
        });
        stuck.await();
        receiver.cancel();
        FutureTask<ReceivedMigration> receiving = new FutureTask<>(receiver::receive);
        new Thread(receiving, "receiving").start();
        // The rest may arrive only then: otherwise the whole round could be complete before it is cancelled.
        assertThatThrownBy(sending::get)
                .isInstanceOf(ExecutionException.class)
                .hasMessageContaining("the destination was stopped");
        goesOn.countDown();
        assertThatThrownBy(receiving::get).hasMessageContaining("the destination was stopped");
        assertThat(destination.failures).hasSize(1);
    }
}
