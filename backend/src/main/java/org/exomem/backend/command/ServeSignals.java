package org.exomem.backend.command;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/**
 * The signals of a serving process. SIGTERM and SIGINT end it in good order with exit code 0; Java would exit with 143 or
 * 130. SIGHUP makes it read its configuration again; Java would end.
 */
final class ServeSignals implements AutoCloseable {
    private final Map<Signal, SignalHandler> before = new LinkedHashMap<>();

    private ServeSignals() {}

    /**
     * Handles signals until {@link #close}.
     *
     * @param end receives the name of the signal, on another thread than the command's; must not wait
     * @param reload may take long; never runs twice at the same time
     */
    static ServeSignals handle(Consumer<String> end, Runnable reload) {
        ServeSignals signals = new ServeSignals();
        signals.put("TERM", signal -> end.accept("SIGTERM"));
        signals.put("INT", signal -> end.accept("SIGINT"));
        Object oneAtATime = new Object();
        signals.put("HUP", signal -> {
            synchronized (oneAtATime) {
                reload.run();
            }
        });
        return signals;
    }

    private void put(String name, SignalHandler handler) {
        Signal signal = new Signal(name);
        try {
            before.put(signal, Signal.handle(signal, handler));
        } catch (IllegalArgumentException e) {
            // This JVM was started with -Xrs, and leaves signals to the system: they have their default effect.
        }
    }

    /** Restores the earlier handlers. */
    @Override
    public void close() {
        before.forEach(Signal::handle);
    }
}
