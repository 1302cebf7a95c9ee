package org.exomem.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Pages that are requested and arrive later. */
class LateMappingTest {
    private static final int PAGE = 4096;
    private static final int PAGES = 8;
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private SharedFile file;
    private Userfaultfd userfaultfd;
    private LateMapping mapping;

    @BeforeEach
    void map() throws Exception {
        assumeTrue(LateMapping.isPossible(), "this host lets nobody have such a userfaultfd");
        file = SharedFile.memfd("late", PAGES * PAGE);
        userfaultfd = Userfaultfd.of(Userfaultfd.makeForTheKernelToo(), LateMapping.FEATURES);
        mapping = LateMapping.of(file, 0, PAGES * PAGE, userfaultfd);
    }

    @AfterEach
    void unmap() {
        if (mapping != null) {
            mapping.end();
            mapping.close();
            userfaultfd.close();
            file.close();
        }
    }

    private CompletableFuture<Boolean> bring(long offset, long bytes) {
        CompletableFuture<Boolean> result = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            try {
                result.complete(mapping.bring(offset, bytes));
            } catch (LinuxException e) {
                result.completeExceptionally(e);
            }
        });
        return result;
    }

    private void awaitFault() throws LinuxException {
        assertThat(Poll.readable(userfaultfd.fd(), LIMIT)).as("a fault").isTrue();
    }

    @Test
    void whoeverAsksForAPageWaitsUntilItIsGiven() throws Exception {
        CompletableFuture<Boolean> came = bring(PAGE, PAGE);
        awaitFault();
        assertThat(came).isNotDone();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment content = arena.allocate(PAGE, PAGE);
            content.set(ValueLayout.JAVA_INT, 0, 42);
            assertThat(new PageGiver(userfaultfd.fd()).copy(mapping.address() + PAGE, PAGE, content.address()))
                    .isEqualTo(PAGE);
        }
        assertThat(came.get(LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
        assertThat(bring(PAGE, PAGE).get(LIMIT.toSeconds(), TimeUnit.SECONDS))
                .as("a page that is there")
                .isTrue();
        try (Mapping seen = Mapping.of(file, 0, PAGES * PAGE)) {
            assertThat(seen.segment().get(ValueLayout.JAVA_INT, PAGE)).isEqualTo(42);
        }
    }

    @Test
    void theEndWakesWhoeverWaitsAndBringsNoPage() throws Exception {
        CompletableFuture<Boolean> came = bring(0, 2 * PAGE);
        awaitFault();
        mapping.end();
        assertThat(came.get(LIMIT.toSeconds(), TimeUnit.SECONDS)).isFalse();
        assertThat(bring(0, PAGE).get(LIMIT.toSeconds(), TimeUnit.SECONDS)).isFalse();
        assertThat(file.allocatedBytes()).isZero();
    }

    @Test
    void whatWasCutOffTheFileIsAnErrorOfTheCallAndNoSignal() throws Exception {
        file.truncate(PAGE);
        CompletableFuture<Boolean> came = bring(4 * PAGE, PAGE);
        assertThatThrownBy(() -> came.get(LIMIT.toSeconds(), TimeUnit.SECONDS))
                .isInstanceOf(ExecutionException.class)
                .hasCauseInstanceOf(LinuxException.class);
    }
}
