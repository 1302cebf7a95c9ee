package org.exomem.conform.check;

import java.util.ArrayList;
import java.util.List;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Trial;

/**
 * One thing that is tried with a back-end, in a session of its own.
 *
 * @param requirements ids of the catalogue that it is about; a failure is told of the first
 * @param name a sentence that says what a back-end does that passes; unique
 * @param device the type that it is for; {@link DeviceType#ANY} for all
 */
public record Check(List<String> requirements, String name, DeviceType device, Body body) implements Subject {
    /** What is done. */
    @FunctionalInterface
    public interface Body {
        /** Returns if the requirement is kept; see {@link Trial} for what it throws otherwise. */
        void run(Trial trial) throws Exception;
    }

    public Check {
        requirements = List.copyOf(requirements);
    }

    /** A check for every type of device. */
    public static Check of(String requirement, String name, Body body) {
        return new Check(List.of(requirement), name, DeviceType.ANY, body);
    }

    /** The same, for one type of device. */
    public Check on(DeviceType type) {
        return new Check(requirements, name, type, body);
    }

    /** The same, which is about these requirements too. */
    public Check and(String... others) {
        List<String> all = new ArrayList<>(requirements);
        all.addAll(List.of(others));
        return new Check(all, name, device, body);
    }

    @Override
    public String toString() {
        return requirement() + ": " + name;
    }
}
