package org.exomem.backend.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.exomem.linux.PageFaults;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.SharedInPlace.Range;
import org.exomem.pages.PageSet;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class ClonePagesTest {
    private static final long PAGE = SharedFile.SMALL_PAGE;
    private static final long OFFSET = 16 * PAGE;
    private static final long ADDRESS = 1L << 32;
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private final EventLoop loop = new EventLoop("clone");
    private final Vmm vmm = new Vmm();
    private final AtomicInteger came = new AtomicInteger();
    private final List<String> faults = new CopyOnWriteArrayList<>();
    private MemoryRegion region;
    private @Nullable ClonePages pages;

    /** Does what is requested, or fails. */
    private static final class Vmm implements VmmProcesses, PageSharing {
        private final List<Range> shared = new CopyOnWriteArrayList<>();
        private final List<Range> givenBack = new CopyOnWriteArrayList<>();
        private final AtomicInteger attached = new AtomicInteger();
        private final CountDownLatch guestStopped = new CountDownLatch(1);
        private volatile boolean stopsItsGuest;
        private volatile String failure = "";

        private void fail() throws IOException {
            if (!failure.isEmpty()) {
                throw new IOException(failure);
            }
        }

        @Override
        public Attached attach(Path qmp, List<Part> parts, OptionalLong unplugged) throws IOException {
            throw new IOException("not here");
        }

        @Override
        public List<PageFaults> left(Path qmp) {
            return List.of();
        }

        @Override
        public WatchedMemory watch(Path qmp, List<Part> parts, List<Part> guarded) throws IOException {
            throw new IOException("not here");
        }

        @Override
        public PageSharing share(Path qmp, int frontEnd, SharedFile file) throws IOException {
            fail();
            attached.incrementAndGet();
            return this;
        }

        @Override
        public void share(List<Range> ranges) throws IOException {
            fail();
            if (stopsItsGuest) {
                awaitStop();
            }
            shared.addAll(ranges);
        }

        private void awaitStop() throws IOException {
            try {
                if (!guestStopped.await(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
                    throw new IOException("the guest did not stop");
                }
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
        }

        @Override
        public void giveBack(List<Range> ranges) throws IOException {
            fail();
            givenBack.addAll(ranges);
        }

        @Override
        public void close() {
            attached.decrementAndGet();
        }
    }

    @BeforeEach
    void begin() throws Exception {
        region = MemoryRegion.map(0, 1024 * PAGE, 0, OFFSET, SharedFile.memfd("own", OFFSET + 1024 * PAGE));
    }

    private void show(long... alreadyShared) throws Exception {
        PageSet here = new PageSet();
        for (long page : alreadyShared) {
            here.add(page);
        }
        pages = onLoop(() -> new ClonePages(
                "clone",
                Path.of("/nowhere"),
                1,
                region,
                new CloneOwnFile(ADDRESS, here),
                loop,
                vmm,
                came::incrementAndGet,
                faults::add));
    }

    @AfterEach
    void end() throws Exception {
        onLoop(() -> {
            pages().close();
            return true;
        });
        await().atMost(LIMIT).until(() -> vmm.attached.get() == 0);
        loop.close();
        region.close();
    }

    private ClonePages pages() {
        return Objects.requireNonNull(pages);
    }

    private <T> T onLoop(Callable<T> task) throws Exception {
        return loop.submit(task).get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
    }

    private boolean areHere(long offset, long length) throws Exception {
        return onLoop(() -> pages().areHere(offset, length));
    }

    private static Range range(long page, long count) {
        return new Range(ADDRESS + page * PAGE, page * PAGE, count * PAGE);
    }

    @Test
    @Tag("IMG-CLONE-6")
    void pagesAreHereOnceTheVmmSharesThem() throws Exception {
        show();
        assertThat(areHere(PAGE + 100, PAGE)).isFalse();
        await().atMost(LIMIT).until(() -> areHere(PAGE + 100, PAGE));
        assertThat(vmm.shared).containsExactly(range(17, 2));
        assertThat(came.get()).isPositive();
        // Only the missing pages.
        assertThat(areHere(0, 4 * PAGE)).isFalse();
        await().atMost(LIMIT).until(() -> areHere(0, 4 * PAGE));
        assertThat(vmm.shared).containsExactly(range(17, 2), range(16, 1), range(19, 1));
        assertThat(vmm.attached).hasValue(1);
    }

    @Test
    void whatWasSharedBeforeIsHereAtOnce() throws Exception {
        show(16, 17);
        assertThat(areHere(0, 2 * PAGE)).isTrue();
        assertThat(areHere(0, 2 * PAGE + 1)).isFalse();
    }

    @Test
    void muchIsSharedInSmallParts() throws Exception {
        show();
        await().atMost(LIMIT).until(() -> areHere(0, 1000 * PAGE));
        assertThat(vmm.shared).allSatisfy(range -> assertThat(range.length()).isLessThanOrEqualTo(64 * PAGE));
        assertThat(vmm.shared.stream().mapToLong(Range::length).sum()).isEqualTo(1000 * PAGE);
    }

    @Test
    @Tag("IMG-CLONE-7")
    void discardedPagesAreGivenBackByTheVmm() throws Exception {
        show();
        assertThat(onLoop(() -> {
                    pages().discard(OFFSET, 4 * PAGE);
                    pages().discard(OFFSET + 8 * PAGE, PAGE);
                    return pages().isDiscarding();
                }))
                .isTrue();
        await().atMost(LIMIT).until(() -> !onLoop(pages()::isDiscarding));
        assertThat(vmm.givenBack.stream().mapToLong(Range::length).sum()).isEqualTo(5 * PAGE);
        assertThat(vmm.givenBack).contains(range(24, 1));
        assertThat(came.get()).isPositive();
        assertThat(faults).isEmpty();
    }

    /** A VMM that stops its guest asks its devices to stop. They answer when nothing is discarded any more. */
    @Test
    @Tag("IMG-CLONE-7")
    @Tag("IMG-CLONE-11")
    void discardedPagesAreGivenBackWhileTheVmmStopsItsGuestToShareOthers() throws Exception {
        vmm.stopsItsGuest = true;
        show();
        assertThat(areHere(0, PAGE)).isFalse();
        onLoop(() -> {
            pages().discard(OFFSET + 8 * PAGE, PAGE);
            return true;
        });
        await().atMost(LIMIT.dividedBy(2)).until(() -> !onLoop(pages()::isDiscarding));
        assertThat(vmm.givenBack).containsExactly(range(24, 1));
        assertThat(vmm.shared).isEmpty();
        vmm.guestStopped.countDown();
        await().atMost(LIMIT).until(() -> areHere(0, PAGE));
        assertThat(faults).isEmpty();
        assertThat(vmm.attached).hasValue(1);
    }

    @Test
    void vmmThatCanNotBeHadIsToldOfOnceAndTriedAgain() throws Exception {
        vmm.failure = "no permission";
        show();
        assertThat(areHere(0, PAGE)).isFalse();
        await().atMost(LIMIT).until(() -> !faults.isEmpty());
        onLoop(() -> {
            pages().discard(OFFSET, PAGE);
            return true;
        });
        // Memory that can't be returned stays with the host, and nothing waits for it.
        await().atMost(LIMIT).until(() -> !onLoop(pages()::isDiscarding));
        assertThat(new ArrayList<>(faults)).singleElement().asString().contains("no permission");
        assertThat(areHere(0, PAGE)).isFalse();
        vmm.failure = "";
        await().atMost(LIMIT).until(() -> areHere(0, PAGE));
    }
}
