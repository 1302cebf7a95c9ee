package org.exomem.backend.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.exomem.backend.qmp.QmpException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 180, unit = TimeUnit.SECONDS)
@Tag("CTL-20")
class SlowWorkTest {
    private final SlowWork work = new SlowWork(Duration.ofMillis(200));
    private final CountDownLatch end = new CountDownLatch(1);

    @AfterEach
    void close() {
        end.countDown();
        work.close();
    }

    @Test
    void whatIsDoneInTimeIsTheAnswer() {
        assertThat(new SlowWork().run("read keys", () -> "key").join()).isEqualTo("key");
    }

    @Test
    void failureIsAnErrorOfTheCommand() {
        assertThatThrownBy(() -> new SlowWork()
                        .run("read keys", () -> {
                            throw new IOException("/k: no such file");
                        })
                        .join())
                .hasCauseInstanceOf(QmpException.class)
                .hasMessageContaining("/k: no such file");
    }

    @Test
    void fileSystemOrNameServerThatHangsIsAnErrorAfterTheLimit() {
        assertThatThrownBy(() -> hang().join())
                .hasCauseInstanceOf(QmpException.class)
                .hasMessageContaining(
                        "can't look a host up: the file system or the name server did not respond within 0 s");
    }

    @Test
    void workThatNobodyWaitsForAnyMoreIsNotBegun() {
        List<CompletableFuture<String>> hanging = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            hanging.add(hang());
        }
        AtomicInteger begun = new AtomicInteger();
        assertThatThrownBy(() -> work.run("read keys", begun::incrementAndGet).join())
                .hasMessageContaining("did not respond");
        end.countDown();
        hanging.forEach(done -> done.handle((result, failure) -> "").join());
        assertThat(begun).hasValue(0);
    }

    @Test
    void moreThanCanWaitAreRefusedAtOnce() {
        CompletableFuture<String> last = hang();
        for (int i = 0; i < 100; i++) {
            last = hang();
        }
        assertThat(last).isCompletedExceptionally();
        assertThatThrownBy(last::join).hasMessageContaining("too many commands already wait");
    }

    private CompletableFuture<String> hang() {
        return work.run("look a host up", () -> {
            try {
                end.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return "";
        });
    }
}
