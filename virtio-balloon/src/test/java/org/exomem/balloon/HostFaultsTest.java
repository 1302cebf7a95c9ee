package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.junit.jupiter.api.Test;

class HostFaultsTest {
    private long now = Long.MAX_VALUE - 5;
    private final HostFaults faults = new HostFaults(() -> now);
    private final List<String> told = new ArrayList<>();

    private void fail(int errno) {
        faults.report(new LinuxException("fallocate", "ram", errno), "it stays", told::add);
    }

    @Test
    void aKindOfFailureIsToldOnceAMinuteWithTheNumberOfThoseInBetween() {
        for (int i = 0; i < 10; i++) {
            fail(Errno.EPERM);
        }
        assertThat(told).singleElement().asString().contains("EPERM", "it stays");

        now += Duration.ofSeconds(59).toNanos();
        fail(Errno.EPERM);
        assertThat(told).hasSize(1);

        now += Duration.ofSeconds(2).toNanos();
        fail(Errno.EPERM);
        assertThat(told).hasSize(2);
        assertThat(told.getLast()).contains("10 more");
    }

    @Test
    void anotherKindIsToldAtOnce() {
        fail(Errno.EPERM);
        fail(Errno.ENOSPC);

        assertThat(told).hasSize(2);
    }
}
