package org.exomem.vhostuser.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.exomem.linux.EventFd;
import org.exomem.linux.UnixSockets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EventLoopTest {
    private final EventLoop loop = new EventLoop("vm-test");

    @AfterEach
    void end() {
        loop.close();
    }

    @Test
    void everySignalOfAnEventfdIsSeenThoughItIsNeverRead() throws Exception {
        AtomicInteger seen = new AtomicInteger();
        try (EventFd notifier = new EventFd()) {
            EventLoop.Watch watch = loop.submit(() -> loop.watch(notifier, seen::incrementAndGet))
                    .join();
            for (int i = 1; i <= 100; i++) {
                notifier.signal();
                int expected = i;
                await().atMost(Duration.ofMinutes(1))
                        .pollDelay(Duration.ZERO)
                        .pollInterval(Duration.ofMillis(1))
                        .until(() -> seen.get() == expected);
            }
            assertThat(notifier.drain()).isTrue();
            loop.submit(() -> {
                        watch.close();
                        return 0;
                    })
                    .join();
            notifier.signal();
            assertThat(loop.submit(seen::get).join()).isEqualTo(100);
        }
    }

    @Test
    void aSignalThatCameBeforeTheWatchIsSeen() throws Exception {
        CountDownLatch seen = new CountDownLatch(1);
        try (EventFd notifier = new EventFd()) {
            notifier.signal();
            loop.submit(() -> loop.watch(notifier, seen::countDown)).join();
            assertThat(seen.await(1, TimeUnit.MINUTES)).isTrue();
        }
    }

    @Test
    void aTaskThatThrowsDisturbsNoOther() throws Exception {
        loop.execute(() -> {
            throw new IllegalStateException("thrown on purpose by a test");
        });
        assertThat(loop.submit(() -> 42).join()).isEqualTo(42);
        assertThatThrownBy(() -> loop.submit(() -> {
                            throw new IllegalStateException("told to the caller");
                        })
                        .join())
                .hasMessageContaining("told to the caller");
    }

    @Test
    void aTimerRunsOnceAndNotAfterItWasCancelled() throws Exception {
        AtomicInteger ran = new AtomicInteger();
        // On the loop, where the task can't run before it is cancelled, even late.
        loop.submit(() -> {
                    loop.schedule(Duration.ofMillis(20), () -> ran.addAndGet(100))
                            .cancel();
                    return true;
                })
                .join();
        loop.schedule(Duration.ofMillis(40), ran::incrementAndGet);
        await().atMost(Duration.ofMinutes(1)).until(() -> ran.get() == 1);
    }

    @Test
    void descriptorsAreWatchedFromTheLoopOnly() throws Exception {
        var pair = UnixSockets.pair();
        try {
            assertThatThrownBy(() -> loop.watch(pair.getFirst(), () -> {})).isInstanceOf(IllegalStateException.class);
        } finally {
            pair.forEach(fd -> fd.close());
        }
    }
}
