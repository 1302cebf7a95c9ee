package org.exomem.backend.vm;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import org.junit.jupiter.api.Test;

class LogThrottleTest {
    private final Queue<Runnable> timers = new ArrayDeque<>();
    private final List<String> log = new ArrayList<>();
    private final LogThrottle throttle = new LogThrottle(log::add, (delay, task) -> timers.add(task));

    @Test
    void firstLinesPassAndTheOthersAreCounted() {
        for (int i = 0; i < LogThrottle.LINES + 1000; i++) {
            throttle.say("line " + i);
        }
        assertThat(log).hasSize(LogThrottle.LINES).startsWith("line 0").endsWith("line " + (LogThrottle.LINES - 1));
        assertThat(timers).hasSize(1);
        timers.remove().run();
        assertThat(log).hasSize(LogThrottle.LINES + 1).endsWith("1000 more such messages in 10 s were suppressed");
        throttle.say("later");
        assertThat(log).endsWith("later");
    }

    @Test
    void fewLinesAreNotSpokenOf() {
        throttle.say("one");
        timers.remove().run();
        assertThat(log).containsExactly("one");
        assertThat(timers).isEmpty();
    }
}
