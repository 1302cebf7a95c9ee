package org.exomem.migration.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.exomem.migration.GuestGivenBackException;
import org.exomem.migration.GuestPages;
import org.exomem.migration.HandoverUncertainException;
import org.exomem.migration.PeerFault;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.destination.BegunMigration;
import org.exomem.migration.stream.destination.MigrationReceiver;
import org.exomem.migration.stream.destination.ReceivedMigration;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.source.MigrationSender;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.pages.PageBits;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A guest that runs at the destination before all of its memory is there. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class PostCopyStreamTest {
    private static final Duration WITHIN = Duration.ofSeconds(20);
    private static final Set<StreamFeature> FEATURES = Set.of(StreamFeature.RESUME, StreamFeature.POSTCOPY);
    private static final StreamOptions OPTIONS =
            StreamOptions.defaults().withChannels(2).withResumeWithin(WITHIN).withFeatures(FEATURES, Set.of());

    /** 64 pages in the form of OWED. */
    private static final byte[] ALL = {-1, -1, -1, -1, -1, -1, -1, -1};

    private final Held before = Held.now();
    private final TestSource source = new TestSource(400, 7);
    private final AtomicLong cutAfter = new AtomicLong(Long.MAX_VALUE);
    private TestDestination destination;
    private MigrationReceiver receiver;
    private Tampered way;
    /** The destination's options. */
    private StreamOptions options = OPTIONS;

    private StreamOptions sourceOptions = OPTIONS;
    /** The connection that carries no data while {@link #isSilent}. */
    private int silent = -1;

    private volatile boolean isSilent;

    PostCopyStreamTest() throws IOException {
        destination = new TestDestination(source.memory());
        receiver = listener();
        way = cutter();
    }

    private MigrationReceiver listener() throws IOException {
        return MigrationReceiver.listen(
                MigrationAddress.parse("127.0.0.1:0"), StreamSecurity.none(), options, destination);
    }

    private Tampered cutter() throws IOException {
        return new Tampered(receiver.address(), (connection, offset, bytes) -> {
            if (connection == silent && isSilent) {
                bytes.position(bytes.limit());
                return true;
            }
            long left = cutAfter.addAndGet(-bytes.remaining());
            if (left >= 0) {
                return true;
            }
            cutAfter.set(Long.MAX_VALUE);
            bytes.limit((int) Math.max(bytes.position(), bytes.limit() + left));
            return false;
        });
    }

    private void listenAgain() throws IOException {
        way.close();
        receiver.close();
        destination.close();
        destination = new TestDestination(source.memory());
        receiver = listener();
        way = cutter();
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        way.close();
        receiver.close();
        destination.close();
        before.awaitSame();
    }

    private MigrationSender connect() throws IOException {
        return MigrationSender.connect(
                way.address(), StreamSecurity.none(), sourceOptions, source.memory(), new BandwidthLimit(0));
    }

    /** The source's memory. A page after the first hundred can be read only when {@code held} is complete. */
    private GuestPages memory(Supplier<CompletableFuture<Void>> held) {
        return new GuestPages() {
            @Override
            public long pages() {
                return source.pages();
            }

            @Override
            public int pageSize() {
                return TestSource.PAGE;
            }

            @Override
            public long nextData(long from) {
                return from;
            }

            @Override
            public long nextHole(long from) {
                return pages();
            }

            @Override
            public void read(long first, MemorySegment into) {
                if (first < 200) {
                    held.get().join();
                }
                into.copyFrom(source.pages(first, into.byteSize() / TestSource.PAGE));
            }
        };
    }

    private static PageBits pages(long all, long first, long count) {
        PageBits pages = new PageBits(all);
        pages.add(first, count);
        return pages;
    }

    /** Sends all but the owed pages in one round, then the list of owed pages, and a state. */
    private void sendUntilReady(MigrationSender sender, PageBits owed, GuestPages memory) throws IOException {
        source.sendAll(sender, 3);
        // Earlier content of these pages is useless: they have changed.
        for (long page = owed.next(0); page < owed.pages(); page = owed.next(page + 1)) {
            sender.channels().getFirst().pages(page, source.pages(0, 1));
        }
        sender.endRound();
        finish(sender, owed, memory);
    }

    private static void finish(MigrationSender sender, PageBits owed, GuestPages memory) throws IOException {
        PageBits before = new PageBits(owed.pages());
        before.copyOf(owed);
        before.remove(owed.next(0), 7);
        sender.promise(before, memory);
        sender.owe(owed);
        try (OutputStream state = sender.deviceState("cpu")) {
            state.write(new byte[3000]);
        }
        sender.finish();
    }

    private PostCopyTestMemory owing() {
        return Objects.requireNonNull(destination.owing, "pages are owed");
    }

    @Test
    @Tag("STR-PST-2")
    @Tag("STR-PST-4")
    @Tag("STR-PST-6")
    void whatSomebodyWaitsForComesBeforeAllOthers() throws Exception {
        CompletableFuture<Void> held = new CompletableFuture<>();
        PageBits owed = pages(source.pages(), 0, 333);
        try (MigrationSender sender = connect()) {
            sendUntilReady(sender, owed, memory(() -> held));
            assertThat(destination.ready).isTrue();
            assertThat(owing().promised.count()).isEqualTo(333);
            // The state is loaded, and touches memory, before the guest is handed over.
            owing().want.ask(301);
            await().atMost(WITHIN).until(() -> owing().has(301));
            assertThat(owing().has(5)).isFalse();
            sender.handOver();
            assertThat(destination.started).isTrue();
            owing().want.ask(302);
            owing().want.ask(302);
            await().atMost(WITHIN).until(() -> owing().has(302));
            assertThat(owing().arrived).isNotDone();
            held.complete(null);
            sender.awaitArrived(() -> {});
            ReceivedMigration received = receiver.receive();
            assertThat(received.source()).isNotEmpty();
            receiver.awaitHeard();
        }
        assertThat(destination.content()).isEqualTo(source.content);
        assertThat(destination.failures).isEmpty();
    }

    @Test
    @Tag("STR-PST-7")
    void migrationThatIsCutAnywhereEndsWithAllPages() throws Exception {
        SplittableRandom random = new SplittableRandom(5);
        PageBits owed = pages(source.pages(), 10, 350);
        int resumed = 0;
        for (int i = 0; i < 40; i++) {
            if (i > 0) {
                listenAgain();
            }
            long at = random.nextLong(2 * source.content.length);
            try (MigrationSender sender = connect()) {
                cutAfter.set(at);
                if (migrateOver(sender, owed)) {
                    resumed++;
                    receiver.receive();
                    assertThat(destination.content())
                            .as("cut after %d bytes", at)
                            .isEqualTo(source.content);
                    assertThat(destination.state("cpu")).hasSize(3000);
                    assertThat(destination.failures).isEmpty();
                } else {
                    assertThat(destination.started).isFalse();
                    assertThat(destination.promised).isNotNull();
                    PostCopyTestMemory begun = destination.owing;
                    assertThat(begun == null || begun.abandoned).isTrue();
                }
            }
        }
        assertThat(resumed).isGreaterThan(30);
    }

    /**
     * Returns false if the connection was cut where the migration can't continue: the destination prepares, and needs
     * pages for that.
     */
    private boolean migrateOver(MigrationSender sender, PageBits owed) throws IOException {
        GuestPages memory = memory(() -> CompletableFuture.completedFuture(null));
        boolean ready = false;
        boolean sent = false;
        while (!ready) {
            try {
                if (!sent) {
                    source.sendAll(sender, 3);
                    sender.endRound();
                    sent = true;
                }
                finish(sender, owed, memory);
                ready = true;
            } catch (PeerFault e) {
                return false;
            } catch (StreamFault e) {
                throw e;
            } catch (IOException e) {
                try {
                    MigrationSender.ResumePoint point = sender.reconnect(WITHIN);
                    ready = point.isReady();
                    sent = point.rounds() > 0;
                } catch (PeerFault refused) {
                    return false;
                }
            }
        }
        boolean runs = false;
        while (!runs) {
            try {
                sender.handOver();
                runs = true;
            } catch (HandoverUncertainException e) {
                assertThat(sender.reconnect(WITHIN).isReady()).isTrue();
            }
        }
        boolean arrived = false;
        while (!arrived) {
            try {
                sender.awaitArrived(() -> {});
                arrived = true;
            } catch (PeerFault | StreamFault e) {
                throw e;
            } catch (IOException e) {
                assertThat(sender.reconnect(WITHIN).isReady()).isTrue();
            }
        }
        return true;
    }

    @Test
    @Tag("STR-PST-7")
    @Tag("STR-PST-8")
    void guestWaitsForASourceThatIsGone() throws Exception {
        AtomicReference<CompletableFuture<Void>> held = new AtomicReference<>(new CompletableFuture<>());
        PageBits owed = pages(source.pages(), 0, 333);
        try (MigrationSender sender = connect()) {
            sendUntilReady(sender, owed, memory(held::get));
            sender.handOver();
            way.cut();
            assertThatThrownBy(() -> sender.awaitArrived(() -> {})).isInstanceOf(IOException.class);
            assertThat(destination.lost.await(20, TimeUnit.SECONDS)).isTrue();
            assertThatThrownBy(() -> owing().want.ask(3)).isInstanceOf(IOException.class);
            assertThat(owing().abandoned).isFalse();
            held.getAndSet(new CompletableFuture<>()).complete(null);
            assertThat(sender.reconnect(WITHIN).isReady()).isTrue();
            await().atMost(WITHIN).until(() -> owing().cameBack.get() == 1);
            owing().want.ask(330);
            await().atMost(WITHIN).until(() -> owing().has(330));
            held.get().complete(null);
            sender.awaitArrived(() -> {});
            receiver.receive();
        }
        assertThat(destination.content()).isEqualTo(source.content);
        assertThat(destination.failures).isEmpty();
    }

    @Test
    @Tag("STR-PST-7")
    @Tag("STR-PST-9")
    void anotherProcessGoesOnWhereTheOneBeforeHasLeftOff() throws Exception {
        AtomicReference<CompletableFuture<Void>> held = new AtomicReference<>(new CompletableFuture<>());
        PageBits owed = pages(source.pages(), 0, 333);
        try (MigrationSender sender = connect()) {
            sendUntilReady(sender, owed, memory(held::get));
            sender.handOver();
            owing().want.ask(301);
            await().atMost(WITHIN).until(() -> owing().has(301));
            PageBits absent = owing().owed();
            // The destination does not know which of the missing pages are owed: the source lists them.
            absent.add(350, 20);
            BegunMigration begun = Objects.requireNonNull(destination.begun);
            MigrationAddress address = receiver.address();
            receiver.close();
            assertThatThrownBy(() -> sender.awaitArrived(() -> {})).isInstanceOf(IOException.class);
            held.getAndSet(new CompletableFuture<>()).complete(null);
            destination.absent = absent;
            receiver =
                    MigrationReceiver.listen(address, StreamSecurity.none(), OPTIONS, destination, Optional.of(begun));
            assertThat(sender.reconnect(WITHIN).isReady()).isTrue();
            await().atMost(WITHIN).until(() -> owing().promised.count() == 332);
            owing().want.ask(302);
            await().atMost(WITHIN).until(() -> owing().has(302));
            held.get().complete(null);
            sender.awaitArrived(() -> {});
            receiver.receive();
        }
        assertThat(destination.content()).isEqualTo(source.content);
        assertThat(destination.failures).isEmpty();
    }

    /**
     * The VMM's answer that its guest runs may wait for a page, which arrives over the connections that are made
     * meanwhile.
     */
    @Test
    @Tag("STR-PST-7")
    @Tag("STR-END-3")
    void connectionsThatAreLostWhileTheGuestStartsAreMadeAgainMeanwhileAndItStartsOnce() throws Exception {
        destination.whileStarting = () -> {
            way.cut();
            await().atMost(WITHIN).until(() -> owing().cameBack.get() == 1);
            owing().want.ask(301);
            await().atMost(WITHIN).until(() -> owing().has(301));
            return true;
        };
        AtomicReference<CompletableFuture<Void>> held = new AtomicReference<>(new CompletableFuture<>());
        try (MigrationSender sender = connect()) {
            sendUntilReady(sender, pages(source.pages(), 0, 333), memory(held::get));
            assertThatThrownBy(sender::handOver).isInstanceOf(HandoverUncertainException.class);
            held.getAndSet(new CompletableFuture<>()).complete(null);
            assertThat(sender.reconnect(WITHIN).isReady()).isTrue();
            sender.handOver();
            assertThat(destination.timesStarted).isEqualTo(1);
            held.get().complete(null);
            sender.awaitArrived(() -> {});
            receiver.receive();
        }
        assertThat(destination.timesStarted).isEqualTo(1);
        assertThat(destination.content()).isEqualTo(source.content);
        assertThat(destination.failures).isEmpty();
    }

    /**
     * RUNNING is lost, and the guest has ended before it could be sent again. An ERROR alone would make the source
     * resume its guest.
     */
    @Test
    @Tag("STR-PST-12")
    @Tag("STR-END-4")
    void guestThatHasRunAndEndedBeforeItsSourceIsBackIsNotGivenBack() throws Exception {
        destination.whileStarting = () -> {
            way.cut();
            return true;
        };
        AtomicReference<CompletableFuture<Void>> held = new AtomicReference<>(new CompletableFuture<>());
        try (MigrationSender sender = connect()) {
            sendUntilReady(sender, pages(source.pages(), 0, 333), memory(held::get));
            assertThatThrownBy(sender::handOver).isInstanceOf(HandoverUncertainException.class);
            held.getAndSet(new CompletableFuture<>()).complete(null);
            assertThat(sender.reconnect(WITHIN).isReady()).isTrue();
            assertThat(destination.timesStarted).isEqualTo(1);
            await().atMost(WITHIN).until(() -> owing().cameBack.get() == 1);
            owing().arrived.completeExceptionally(new IOException("the VMM has ended"));
            assertThatThrownBy(receiver::receive).hasMessageContaining("the guest has ended");
            sender.handOver();
            assertThatThrownBy(() -> sender.awaitArrived(() -> {}))
                    .isInstanceOf(PeerFault.class)
                    .hasMessageContaining("the guest has ended at the destination");
            held.get().complete(null);
        }
    }

    /**
     * Answers of a destination that violates STR-PST-12, or that has failed to start the guest: the source can't know
     * the outcome.
     */
    @Test
    @Tag("STR-END-8")
    void sourceThatIsToldAnErrorAfterACutDoesNotTakeItsGuestBack() throws Exception {
        destination.whileStarting = () -> {
            way.cut();
            await().atMost(WITHIN).until(() -> owing().cameBack.get() == 1);
            throw new IOException("it does not begin");
        };
        AtomicReference<CompletableFuture<Void>> held = new AtomicReference<>(new CompletableFuture<>());
        try (MigrationSender sender = connect()) {
            sendUntilReady(sender, pages(source.pages(), 0, 333), memory(held::get));
            assertThatThrownBy(sender::handOver).isInstanceOf(HandoverUncertainException.class);
            held.getAndSet(new CompletableFuture<>()).complete(null);
            assertThat(sender.reconnect(WITHIN).isReady()).isTrue();
            assertThatThrownBy(sender::handOver)
                    .isInstanceOf(PeerFault.class)
                    .hasMessageContaining("the destination can't start the guest");
            assertThatThrownBy(receiver::receive).hasMessageContaining("can't start the guest");
            held.get().complete(null);
        }
    }

    @Test
    @Tag("STR-END-3")
    void guestThatCanNotBeStartedIsGivenBack() throws Exception {
        destination.refuses = "start";
        CompletableFuture<Void> held = new CompletableFuture<>();
        try (MigrationSender sender = connect()) {
            sendUntilReady(sender, pages(source.pages(), 0, 333), memory(() -> held));
            assertThatThrownBy(sender::handOver)
                    .isInstanceOf(GuestGivenBackException.class)
                    .hasMessageContaining("no start today");
            assertThatThrownBy(receiver::receive).hasMessageContaining("no start today");
            held.complete(null);
        }
    }

    /** Longer than a destination waits for the source of any other migration. */
    @Test
    @Tag("STR-PST-7")
    void sourceThatComesBackLateFindsItsGuestWaiting() throws Exception {
        options = OPTIONS.withResumeWithin(Duration.ofMillis(1));
        listenAgain();
        AtomicReference<CompletableFuture<Void>> held = new AtomicReference<>(new CompletableFuture<>());
        try (MigrationSender sender = connect()) {
            sendUntilReady(sender, pages(source.pages(), 0, 333), memory(held::get));
            sender.handOver();
            way.cut();
            assertThatThrownBy(() -> sender.awaitArrived(() -> {})).isInstanceOf(IOException.class);
            assertThat(destination.lost.await(20, TimeUnit.SECONDS)).isTrue();
            long lost = System.nanoTime();
            await().pollInterval(Duration.ofMillis(5)).until(() -> System.nanoTime() - lost > 100_000_000);
            held.get().complete(null);
            assertThat(sender.reconnect(WITHIN).isReady()).isTrue();
            sender.awaitArrived(() -> {});
            receiver.receive();
        }
        assertThat(destination.content()).isEqualTo(source.content);
        assertThat(destination.failures).isEmpty();
    }

    @Test
    @Tag("STR-PST-11")
    void wantedPageIsNotWaitedForOnAConnectionThatHasDiedWithoutASign() throws Exception {
        options = OPTIONS.withPatience(Duration.ofSeconds(2));
        sourceOptions = options;
        // The source's first data connection: from some time on it carries nothing, and neither end gets an error.
        silent = 1;
        listenAgain();
        try (MigrationSender sender = connect()) {
            CompletableFuture<Void> held = new CompletableFuture<>();
            AtomicReference<CompletableFuture<Void>> hold = new AtomicReference<>(held);
            sendUntilReady(sender, pages(source.pages(), 0, 333), memory(hold::get));
            sender.handOver();
            isSilent = true;
            owing().full = true;
            owing().want.ask(301);
            await("a host without memory, which is no reason")
                    .during(Duration.ofSeconds(3))
                    .atMost(WITHIN)
                    .until(() -> destination.lost.getCount() == 1);
            owing().full = false;
            assertThatThrownBy(() -> sender.awaitArrived(() -> {})).isInstanceOf(IOException.class);
            assertThat(owing().has(301)).isFalse();
            held.complete(null);
            assertThat(sender.reconnect(WITHIN).isReady()).isTrue();
            await().atMost(WITHIN).until(() -> owing().has(301));
            sender.awaitArrived(() -> {});
            receiver.receive();
        }
        assertThat(destination.content()).isEqualTo(source.content);
        assertThat(destination.failures).isEmpty();
    }

    @Test
    @Tag("STR-PST-1")
    void pageThatWasNeverOwedIsNotGiven() throws Exception {
        CompletableFuture<Void> held = new CompletableFuture<>();
        try (MigrationSender sender = connect()) {
            sendUntilReady(sender, pages(source.pages(), 0, 333), memory(() -> held));
            sender.handOver();
            owing().want.ask(333);
            assertThatThrownBy(() -> sender.awaitArrived(() -> {}))
                    .isInstanceOf(StreamFault.class)
                    .hasMessageContaining("requested page 333, which is not owed to it");
            held.complete(null);
        }
    }

    @Test
    @Tag("STR-PST-1")
    void nothingIsOwedWithoutAgreement() throws Exception {
        try (RawSource raw = new RawSource(receiver.address())) {
            raw.offered = 2;
            raw.channels = 2;
            raw.greet(0, 0).say(1, 0, 0, source.memory().encode().array());
            assertThat(raw.hear().type()).isEqualTo(2);
            raw.say(19, 0, 0, new byte[0]);
            assertThat(raw.hear().text()).contains("sent an unexpected OWED");
        }
        assertThatThrownBy(receiver::receive).hasMessageContaining("OWED");
    }

    @ParameterizedTest
    @CsvSource({
        "3, 64, 8, don't follow",
        "64, 0, 8, don't follow",
        "64, 1000, 128, don't follow",
        "0, 64, 16, has 16 bytes",
        "0, 63, 8, names pages after its last one",
        "9, 0, 0, 9 pages are owed in total",
    })
    @Tag("STR-PST-2")
    void nonsenseIsNotOwed(long first, long count, int bytes, String why) throws Exception {
        try (RawSource raw = new RawSource(receiver.address())) {
            agree(raw);
            byte[] piece = new byte[bytes];
            Arrays.fill(piece, (byte) 0xff);
            raw.say(19, first, count, piece);
            assertThat(raw.hear().text()).contains(why);
        }
        assertThatThrownBy(receiver::receive).hasMessageContaining("description of the owed pages is invalid");
    }

    /** A source that agrees on post-copy. */
    private void agree(RawSource raw) throws IOException {
        raw.offered = 6;
        raw.channels = 2;
        raw.greet(0, 0).say(1, 0, 0, source.memory().encode().array());
        assertThat(raw.hear().type()).isEqualTo(2);
    }

    /** Promises the first 64 pages. */
    private void promise(RawSource raw) throws IOException {
        raw.say(19, 0, 64, ALL);
        raw.say(19, 64, 0, new byte[0]);
        assertThat(raw.hear().type()).as("LISTENING").isEqualTo(22);
        assertThat(Objects.requireNonNull(destination.promised).count()).isEqualTo(64);
        assertThat(destination.owing).as("nothing is asked for yet").isNull();
    }

    @Test
    @Tag("STR-PST-2")
    void pageThatWasPromisedIsNotOwedOnceMore() throws Exception {
        try (RawSource raw = new RawSource(receiver.address())) {
            agree(raw);
            promise(raw);
            raw.say(19, 0, 64, ALL);
            raw.say(19, 64, 0, new byte[0]);
            assertThat(raw.hear().text()).contains("page 0 is owed twice");
        }
        assertThatThrownBy(receiver::receive).hasMessageContaining("owed twice");
        assertThat(destination.owing).isNull();
    }

    @Test
    @Tag("STR-PST-2")
    void stateDoesNotBeginBeforeAllWasSaidThatIsOwed() throws Exception {
        try (RawSource raw = new RawSource(receiver.address())) {
            agree(raw);
            promise(raw);
            raw.say(8, 0, 0, new byte[] {'c'});
            assertThat(raw.hear().text()).contains("before it had sent the complete list of the owed pages");
        }
        assertThatThrownBy(receiver::receive).hasMessageContaining("before it had sent the complete list");
    }

    @Test
    @Tag("STR-PST-2")
    void noPageOfARoundFollowsAPromise() throws Exception {
        try (RawSource raw = new RawSource(receiver.address());
                RawSource data = new RawSource(receiver.address())) {
            agree(raw);
            data.offered = 6;
            data.channels = 2;
            data.greet(1, 0);
            promise(raw);
            data.say(3, 100, 1, new byte[TestSource.PAGE]);
            assertThat(raw.hear().text()).contains("pages of a round arrived after");
        }
        assertThatThrownBy(receiver::receive).hasMessageContaining("pages of a round arrived after");
    }

    @Test
    @Tag("STR-PST-2")
    @Tag("STR-PST-6")
    void promiseAfterWhichNothingIsOwedEndsWithAll() throws Exception {
        try (MigrationSender sender = connect()) {
            source.sendAll(sender, 3);
            sender.endRound();
            PageBits none = new PageBits(source.pages());
            sender.promise(none, memory(() -> CompletableFuture.completedFuture(null)));
            sender.owe(none);
            try (OutputStream state = sender.deviceState("cpu")) {
                state.write(new byte[3000]);
            }
            sender.finish();
            sender.handOver();
            sender.awaitArrived(() -> {});
            receiver.receive();
        }
        assertThat(destination.content()).isEqualTo(source.content);
        assertThat(destination.failures).isEmpty();
    }

    @Test
    @Tag("STR-PST-3")
    void destinationThatCanNotListenSaysSoWhileTheGuestRunsAtItsSource() throws Exception {
        destination.refuses = "promise";
        try (MigrationSender sender = connect()) {
            source.sendAll(sender, 3);
            sender.endRound();
            PageBits owed = pages(source.pages(), 0, 333);
            GuestPages memory = memory(() -> CompletableFuture.completedFuture(null));
            assertThatThrownBy(() -> sender.promise(owed, memory))
                    .isInstanceOf(PeerFault.class)
                    .hasMessageContaining("no promise today");
            assertThatThrownBy(receiver::receive).hasMessageContaining("no promise today");
        }
        assertThat(destination.failures).hasSize(1);
        assertThat(destination.ready).isFalse();
    }

    @Test
    @Tag("STR-PST-7")
    void guestThatEndsAtTheDestinationIsToldToTheSource() throws Exception {
        CompletableFuture<Void> held = new CompletableFuture<>();
        try (MigrationSender sender = connect()) {
            sendUntilReady(sender, pages(source.pages(), 0, 333), memory(() -> held));
            sender.handOver();
            owing().arrived.completeExceptionally(new IOException("the VMM has ended"));
            assertThatThrownBy(() -> sender.awaitArrived(() -> {}))
                    .isInstanceOf(PeerFault.class)
                    .hasMessageContaining("the guest has ended at the destination");
            assertThatThrownBy(receiver::receive).hasMessageContaining("the guest has ended");
            held.complete(null);
        }
    }

    @Test
    @Tag("STR-PST-7")
    void sourceThatIsClosedBeforeTheGuestWasHandedOverLetsTheDestinationGoOn() throws Exception {
        CompletableFuture<Void> held = new CompletableFuture<>();
        try (MigrationSender sender = connect()) {
            sendUntilReady(sender, pages(source.pages(), 0, 333), memory(() -> held));
            held.complete(null);
            sender.abort("no more");
            assertThatThrownBy(receiver::receive).hasMessageContaining("no more");
            await().atMost(WITHIN).until(() -> owing().abandoned);
        }
        assertThat(destination.failures).hasSize(1);
    }
}
