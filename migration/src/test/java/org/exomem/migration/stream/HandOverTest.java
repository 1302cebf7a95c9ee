package org.exomem.migration.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.exomem.migration.GuestGivenBackException;
import org.exomem.migration.stream.destination.Destination;
import org.exomem.migration.stream.destination.MigrationReceiver;
import org.exomem.migration.stream.destination.PageTarget;
import org.exomem.migration.stream.destination.ReceivedMigration;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.source.MigrationSender;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Once a source has let go, there must be one guest. Whatever happens, the source must not resume its guest while it
 * starts at the destination.
 */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class HandOverTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private final Held before = Held.now();
    private final CountDownLatch starting = new CountDownLatch(1);
    private final CountDownLatch mayStart = new CountDownLatch(1);

    /** A destination that starts slowly. */
    private final class Slow implements Destination {
        private final TestDestination to;

        Slow(TestDestination to) {
            this.to = to;
        }

        @Override
        public PageTarget open(MemoryDescription memory, String source) throws IOException {
            return to.open(memory, source);
        }

        @Override
        public OutputStream deviceState(String name) throws IOException {
            return to.deviceState(name);
        }

        @Override
        public void ready(ReceivedMigration received) throws IOException {
            to.ready(received);
        }

        @Override
        public void start() throws IOException {
            starting.countDown();
            try {
                mayStart.await();
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
            to.start();
        }

        @Override
        public void failed(IOException why) {
            to.failed(why);
        }
    }

    @Test
    @Tag("STR-END-3")
    void destinationThatIsClosedWhileTheGuestStartsDoesNotGiveItBack() throws Exception {
        TestSource source = new TestSource(16, 5);
        try (TestDestination destination = new TestDestination(source.memory());
                MigrationReceiver receiver = MigrationReceiver.listen(
                        MigrationAddress.parse("127.0.0.1:0"),
                        StreamSecurity.none(),
                        StreamOptions.defaults(),
                        new Slow(destination));
                MigrationSender sender = MigrationSender.connect(
                        receiver.address(),
                        StreamSecurity.none(),
                        StreamOptions.defaults(),
                        source.memory(),
                        new BandwidthLimit(0))) {
            FutureTask<Void> leaving = new FutureTask<>(() -> {
                source.migrate(sender, 4);
                return null;
            });
            Thread.ofPlatform().start(leaving);
            starting.await();
            Thread closing = Thread.ofPlatform().start(receiver::close);
            await("close to wait for the guest")
                    .atMost(LIMIT)
                    .until(() -> closing.getState() == Thread.State.TIMED_WAITING);
            mayStart.countDown();
            leaving.get();
            receiver.receive();
            closing.join();
            assertThat(destination.started).isTrue();
            assertThat(destination.failures).isEmpty();
            assertThat(destination.content()).isEqualTo(source.content);
        }
        before.awaitSame();
    }

    @Test
    @Tag("STR-END-3")
    void guestThatCannotStartIsGivenBack() throws Exception {
        TestSource source = new TestSource(16, 6);
        try (TestDestination destination = new TestDestination(source.memory());
                MigrationReceiver receiver = MigrationReceiver.listen(
                        MigrationAddress.parse("127.0.0.1:0"),
                        StreamSecurity.none(),
                        StreamOptions.defaults(),
                        new Slow(destination));
                MigrationSender sender = MigrationSender.connect(
                        receiver.address(),
                        StreamSecurity.none(),
                        StreamOptions.defaults(),
                        source.memory(),
                        new BandwidthLimit(0))) {
            destination.refuses = "start";
            mayStart.countDown();
            assertThatThrownBy(() -> source.migrate(sender, 4))
                    .isInstanceOf(GuestGivenBackException.class)
                    .hasMessageContaining("the destination can't start the guest: no start today");
            assertThat(destination.started).isFalse();
            sender.close();
            await().atMost(LIMIT).until(() -> !destination.failures.isEmpty());
        }
        before.awaitSame();
    }
}
