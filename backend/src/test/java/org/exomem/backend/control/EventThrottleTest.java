package org.exomem.backend.control;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class EventThrottleTest {
    private final Queue<Runnable> timers = new ArrayDeque<>();
    private final List<String> said = new ArrayList<>();
    private final EventThrottle throttle = new EventThrottle(Duration.ofSeconds(1), (delay, task) -> timers.add(task));

    @Tag("CTL-10")
    @Test
    void firstGoesAtOnceAndOfTheRestTheLatestAtTheEnd() {
        for (String word : List.of("1", "2", "3")) {
            throttle.submit("kind", () -> said.add(word));
        }
        assertThat(said).containsExactly("1");
        timers.remove().run();
        assertThat(said).containsExactly("1", "3");
        timers.remove().run();
        assertThat(said).containsExactly("1", "3");
        assertThat(timers).isEmpty();
        throttle.submit("kind", () -> said.add("4"));
        assertThat(said).containsExactly("1", "3", "4");
    }

    @Test
    void kindsDoNotWaitForEachOther() {
        throttle.submit("a", () -> said.add("a"));
        throttle.submit("b", () -> said.add("b"));
        assertThat(said).containsExactly("a", "b");
    }
}
