package org.exomem.conform.broken;

import java.util.function.Supplier;
import org.exomem.conform.trial.DeviceType;

/**
 * One way in which a back-end is wrong.
 *
 * @param requirement id of the requirement whose checks have to notice it
 * @param name a sentence that says what the back-end does
 * @param device on which it is played
 * @param tampering makes it, for each connection anew
 */
record Mutation(String requirement, String name, DeviceType device, Supplier<Tampering> tampering) {
    /** A mutation of what does not depend on the device, played on the memory device, whose requests have answers. */
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
