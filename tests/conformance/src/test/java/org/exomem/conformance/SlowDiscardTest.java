package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.Fd;
import org.exomem.linux.PipeEnd;
import org.exomem.linux.Poll;
import org.exomem.vhostuser.memory.LatePages;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A balloon in memory of which a part is elsewhere: discarded pages are also returned there, which takes a while. */
class SlowDiscardTest {
    private static final long MEMORY = 16 << 20;
    private static final long FREE = 4 << 20;
    private static final long BLOCK = 2 << 20;
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final Duration HALF = LIMIT.dividedBy(2);
    private static final Duration A_WHILE = Duration.ofMillis(200);

    @TempDir
    Path folder;

    private BalloonBackEnd backEnd;
    private GuestRam ram;
    private volatile Elsewhere elsewhere = new Elsewhere(() -> {}, false);

    /** Used on the event loop, except for volatile fields. */
    private static final class Elsewhere implements LatePages {
        private final Runnable came;
        private final boolean zeros;
        private volatile long discarding;

        Elsewhere(Runnable came, boolean zeros) {
            this.came = came;
            this.zeros = zeros;
        }

        @Override
        public boolean areHere(long offset, long length) {
            return true;
        }

        @Override
        public void discard(long fileOffset, long length) {
            discarding += length;
        }

        @Override
        public boolean isDiscarding() {
            return discarding > 0;
        }

        @Override
        public boolean discardsToZeros() {
            return zeros;
        }

        void over() {
            discarding = 0;
            came.run();
        }

        @Override
        public void close() {}
    }

    @BeforeEach
    void start() throws Exception {
        backEnd = new BalloonBackEnd(folder.resolve("vm"));
        backEnd.latePages = came -> elsewhere = new Elsewhere(came, false);
        ram = GuestRam.ofSize(MEMORY);
        ram.fill(0, MEMORY, (byte) 1);
    }

    @AfterEach
    void end() {
        ram.close();
        backEnd.close();
    }

    private BalloonDriver attach(long features) throws IOException {
        return BalloonDriver.start(
                AttachedDevice.attach(
                        FrontEnd.connect(backEnd.socket),
                        ram,
                        features | Features.PROTOCOL_FEATURES | Features.VERSION_1,
                        EchoGuest.EVERY_PROTOCOL_FEATURE),
                HALF);
    }

    @FunctionalInterface
    private interface Deed {
        void run() throws IOException;
    }

    private static CompletableFuture<Void> begin(Deed deed) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            try {
                deed.run();
                done.complete(null);
            } catch (IOException | RuntimeException e) {
                done.completeExceptionally(e);
            }
        });
        return done;
    }

    private void staysOpenUntilOver(CompletableFuture<Void> deed, long bytes) throws Exception {
        await().atMost(LIMIT).until(() -> elsewhere.discarding == bytes);
        await().during(A_WHILE).atMost(LIMIT).until(() -> !deed.isDone());
        backEnd.runOnLoop(() -> elsewhere.over());
        deed.get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
    }

    @Test
    @Tag("IMG-CLONE-7")
    void aReportIsUsedWhenAllOfItWasGivenBack() throws Exception {
        try (BalloonDriver driver = attach(BalloonFeatures.PAGE_REPORTING)) {
            staysOpenUntilOver(begin(() -> driver.report(FREE, 2 * BLOCK, BLOCK)), 2 * BLOCK);
            staysOpenUntilOver(begin(() -> driver.report(FREE, BLOCK, BLOCK)), BLOCK);
        }
        assertThat(backEnd.faults).isEmpty();
    }

    @Test
    @Tag("IMG-CLONE-7")
    void inflatedPagesAreUsedWhenAllOfThemWereGivenBack() throws Exception {
        try (BalloonDriver driver = attach(0)) {
            staysOpenUntilOver(begin(() -> driver.inflate(FREE, 64 * GuestRam.PAGE)), 64 * GuestRam.PAGE);
            driver.deflate(FREE, 64 * GuestRam.PAGE);
        }
        assertThat(backEnd.faults).isEmpty();
    }

    @Test
    @Tag("IMG-CLONE-7")
    void theFrontEndGetsNoAnswerBeforeAllWasGivenBack() throws Exception {
        try (BalloonDriver driver = attach(BalloonFeatures.PAGE_REPORTING)) {
            CompletableFuture<Void> report = begin(() -> driver.report(FREE, BLOCK, BLOCK));
            await().atMost(LIMIT).until(() -> elsewhere.discarding == BLOCK);
            CompletableFuture<Void> answer =
                    begin(() -> driver.device().frontEnd().getFeatures());
            staysOpenUntilOver(answer, BLOCK);
            report.get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        }
        assertThat(backEnd.faults).isEmpty();
    }

    @Test
    void aFrontEndThatGoesMeanwhileMakesRoomForTheNext() throws Exception {
        CompletableFuture<Void> report;
        try (BalloonDriver driver = attach(BalloonFeatures.PAGE_REPORTING)) {
            report = begin(() -> driver.report(FREE, BLOCK, BLOCK));
            await().atMost(LIMIT).until(() -> elsewhere.discarding == BLOCK);
            CompletableFuture<Void> gone =
                    begin(() -> driver.device().frontEnd().close());
            gone.get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        }
        assertThatThrownBy(() -> report.get(LIMIT.toMillis(), TimeUnit.MILLISECONDS))
                .isInstanceOf(ExecutionException.class);
        try (BalloonDriver driver = attach(BalloonFeatures.PAGE_REPORTING)) {
            staysOpenUntilOver(begin(() -> driver.report(FREE, BLOCK, BLOCK)), BLOCK);
        }
    }

    @Test
    void descriptorsOfARequestThatWaitsAreClosedWithTheConnection() throws Exception {
        PipeEnd.Pipe pipe = PipeEnd.pipe();
        try (Fd read = pipe.readEnd();
                BalloonDriver driver = attach(BalloonFeatures.PAGE_REPORTING)) {
            CompletableFuture<Void> report = begin(() -> driver.report(FREE, BLOCK, BLOCK));
            await().atMost(LIMIT).until(() -> elsewhere.discarding == BLOCK);
            try (Fd write = pipe.writeEnd()) {
                driver.device()
                        .frontEnd()
                        .send(Request.SET_VRING_CALL, Connection.VERSION, Payload.number(0), List.of(write));
            }
            await().during(A_WHILE).atMost(LIMIT).until(() -> !Poll.readable(read, Duration.ZERO));
            backEnd.disconnect();
            // No process can write into the pipe any more.
            await().atMost(LIMIT).until(() -> Poll.readable(read, Duration.ZERO));
            assertThat(report.isDone()).isFalse();
        }
    }

    @Test
    @Tag("BAL-POI-2")
    void guestThatFindsZerosInFreePagesKeepsThemWhereTheyWouldHaveAnything() throws Exception {
        try (BalloonDriver driver = attach(BalloonFeatures.PAGE_REPORTING | BalloonFeatures.PAGE_POISON)) {
            driver.writePoison(0);
            long before = ram.hostBytes();
            driver.report(FREE, BLOCK, BLOCK);
            assertThat(ram.hostBytes()).isEqualTo(before);
        }
        backEnd.latePages = came -> elsewhere = new Elsewhere(came, true);
        try (BalloonDriver driver = attach(BalloonFeatures.PAGE_REPORTING | BalloonFeatures.PAGE_POISON)) {
            driver.writePoison(0);
            staysOpenUntilOver(begin(() -> driver.report(FREE, BLOCK, BLOCK)), BLOCK);
        }
    }
}
