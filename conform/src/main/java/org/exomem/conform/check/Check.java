package org.exomem.conform.check;

import java.util.ArrayList;
import java.util.List;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Trial;

/**
 * One experiment with a back-end, in a session of its own.
 *
 * @param requirements ids of the catalogue that the check is about; a failure is reported for the first
 * @param name a sentence that says what a passing back-end does; unique
 * @param device the device type that the check is for; {@link DeviceType#ANY} for all types
 */
public record Check(List<String> requirements, String name, DeviceType device, Body body) implements Subject {
    /** The actions of the check. */
    @FunctionalInterface
    public interface Body {
        /** Returns normally if the back-end meets the requirement. See {@link Trial} for the exceptions otherwise. */
        void run(Trial trial) throws Exception;
    }

    public Check {
        requirements = List.copyOf(requirements);
    }

    /** Creates a check for all types of devices. */
    public static Check of(String requirement, String name, Body body) {
        return new Check(List.of(requirement), name, DeviceType.ANY, body);
    }

    /** Returns the same check for one type of device. */
    public Check on(DeviceType type) {
        return new Check(requirements, name, type, body);
    }

    /** Returns the same check, which is also about these requirements. */
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
