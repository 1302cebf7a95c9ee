package org.exomem.backend.control;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Lets an event of one kind through at most once per interval. What comes too early waits, only the latest of it, and
 * goes when the interval ends: the last word is always said (CTL-10). Belongs to the control socket's loop.
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
