package org.exomem.backend.command;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/**
 * What signals mean to a process that serves: SIGTERM and SIGINT end it in good order with exit code 0, where Java itself
 * would exit with 143 or 130, and SIGHUP has it read its configuration again, where Java would end it.
 */
final class ServeSignals implements AutoCloseable {
    private final Map<Signal, SignalHandler> before = new LinkedHashMap<>();

    private ServeSignals() {}

    /**
     * Handles signals until {@link #close}.
     *
     * @param end is given the name of the signal, on another thread than the command's; must not wait
     * @param reload may take its time; runs once at a time
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
            // The Java that runs this was told to leave signals to the system (-Xrs): they have the system's meaning
            // then.
        }
    }

    /** Gives signals the meaning that they had before. */
    @Override
    public void close() {
        before.forEach(Signal::handle);
    }
}
