package org.exomem.backend.control;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Passes an event of one kind at most once per interval. Of the events that come too early, only the latest waits, and is
 * sent when the interval ends. So the last event is always sent (CTL-10). On the control socket's loop.
 */
final class EventThrottle {
    /** Runs a task on the loop, later. */
    interface Later {
        void schedule(Duration delay, Runnable task);
    }

    private static final class Slot {
        @Nullable
        Runnable waiting;
    }

    private final Duration interval;
    private final Later later;
    private final Map<Object, Slot> busy = new HashMap<>();

    EventThrottle(Duration interval, Later later) {
        this.interval = interval;
        this.later = later;
    }

    void submit(Object kind, Runnable emit) {
        Slot slot = busy.get(kind);
        if (slot != null) {
            slot.waiting = emit;
            return;
        }
        busy.put(kind, new Slot());
        emit.run();
        later.schedule(interval, () -> intervalEnded(kind));
    }

    private void intervalEnded(Object kind) {
        Slot slot = busy.remove(kind);
        if (slot != null && slot.waiting != null) {
            submit(kind, slot.waiting);
        }
    }
}
