package org.exomem.vhostuser.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.exomem.linux.LateMapping;
import org.exomem.linux.Poll;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Pending requests for pages when their region is removed. */
class PageBringerTest {
    private static final int PAGE = 4096;
    private static final int BYTES = 8 * PAGE;
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private EventLoop loop;
    private SharedFile file;
    private Userfaultfd userfaultfd;
    private PageBringer bringer;

    @BeforeEach
    void start() throws Exception {
        assumeTrue(LateMapping.isPossible(), "this host lets nobody have such a userfaultfd");
        loop = new EventLoop("vm-test");
        file = SharedFile.memfd("late", BYTES);
        userfaultfd = Userfaultfd.of(Userfaultfd.makeForTheKernelToo(), LateMapping.FEATURES);
        bringer = new PageBringer(loop);
    }

    @AfterEach
    void end() {
        if (loop != null) {
            bringer.close();
            userfaultfd.close();
            file.close();
            loop.close();
        }
    }

    private static final class Told implements PageBringer.Outcome {
        final CompletableFuture<Boolean> came = new CompletableFuture<>();

        @Override
        public void over(boolean pagesCame) {
            came.complete(pagesCame);
        }

        @Override
        public void failed(Throwable why) {
            came.completeExceptionally(why);
        }

        boolean await() throws Exception {
            return came.get(LIMIT.toSeconds(), TimeUnit.SECONDS);
        }
    }

    private SharedMapping map() throws Exception {
        return new SharedMapping(LateMapping.of(file, 0, BYTES, userfaultfd));
    }

    private void onLoop(Runnable task) throws Exception {
        loop.submit(() -> {
                    task.run();
                    return true;
                })
                .get(LIMIT.toSeconds(), TimeUnit.SECONDS);
    }

    @Test
    void whatWaitsBehindAPageThatNeverComesIsOverWhenItsOwnRegionGoes() throws Exception {
        SharedMapping blocked = map();
        SharedMapping behind = map();
        Told never = new Told();
        Told queued = new Told();
        onLoop(() -> bringer.bring(blocked, 0, PAGE, never));
        assertThat(Poll.readable(userfaultfd.fd(), LIMIT)).as("a fault").isTrue();
        onLoop(() -> bringer.bring(behind, PAGE, PAGE, queued));
        onLoop(() -> bringer.end(behind));
        assertThat(queued.await()).isFalse();
        assertThat(never.came).isNotDone();
        onLoop(() -> bringer.end(blocked));
        assertThat(never.await()).isFalse();
    }
}
