package org.exomem.conform.strict.observe;

import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;

/** Watches one requirement during one session. May keep what it has seen. For one thread. */
@FunctionalInterface
public interface Observer {
    void see(Event event, Scene scene, Tally tally);
}
