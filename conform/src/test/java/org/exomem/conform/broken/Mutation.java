package org.exomem.conform.broken;

import java.util.function.Supplier;
import org.exomem.conform.trial.DeviceType;

/**
 * One fault of a back-end.
 *
 * @param requirement id of the requirement whose checks must notice the fault
 * @param name a sentence that says what the back-end does
 * @param device the type of the device that gets the fault
 * @param tampering creates the fault for each connection
 */
record Mutation(String requirement, String name, DeviceType device, Supplier<Tampering> tampering) {
    /** A fault that does not depend on the device. The memory device gets it, because its requests have answers. */
    static Mutation of(String requirement, String name, Supplier<Tampering> tampering) {
        return new Mutation(requirement, name, DeviceType.MEM, tampering);
    }

    Mutation on(DeviceType type) {
        return new Mutation(requirement, name, type, tampering);
    }

    @Override
    public String toString() {
        return requirement + ": " + name;
    }
}
