package org.exomem.conform.strict.observers;

import java.time.Duration;
import org.exomem.conform.strict.observe.Observer;
import org.exomem.conform.strict.observe.Tally;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;

/** Waits for the front-end to end the session after a deliberate fault of the device. */
final class EndsAfter implements Observer {
    private static final Duration LIMIT = Duration.ofSeconds(5);

    private final Event.Provoked.Kind kind;
    private long since;

    EndsAfter(Event.Provoked.Kind kind) {
        this.kind = kind;
    }

    @Override
    public void see(Event event, Scene scene, Tally tally) {
        switch (event) {
            case Event.Provoked(Event.Provoked.Kind done, long now) -> since = done == kind ? now : since;
            case Event.Ended(boolean byFrontEnd) -> {
                if (since != 0 && byFrontEnd) {
                    tally.kept();
                }
                since = 0;
            }
            case Event.Tick(long now) -> {
                if (since != 0 && scene.isOver(since, now, LIMIT)) {
                    since = 0;
                    tally.broken("the front-end continued for " + LIMIT.toSeconds() + " s");
                }
            }
            default -> {}
        }
    }
}
