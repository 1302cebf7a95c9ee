package org.exomem.conform.strict.observe;

import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;

/** Observes one requirement during one session. May have state. For one thread. */
@FunctionalInterface
public interface Observer {
    void see(Event event, Scene scene, Tally tally);
}
