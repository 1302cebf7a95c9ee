package org.exomem.backend.vm;

import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A VM and its devices at one moment. Sizes in bytes.
 *
 * @param attachment where the VMM attaches, for people: to the balloon, or else to the memory devices
 * @param active what is known of what its guest writes, if that is looked at
 * @param host what the files of its memory have allocated on this host; empty while no memory is shared
 */
public record VmState(
        String name,
        String attachment,
        Optional<Balloon> balloon,
        List<MemoryState> memory,
        Optional<ActiveState> active,
        OptionalLong host) {
    public VmState {
        memory = List.copyOf(memory);
    }

    /** True while a front-end is connected to any device. */
    public boolean connected() {
        return balloon.map(Balloon::connected).orElse(false) || memory.stream().anyMatch(MemoryState::connected);
    }

    /**
     * @param connected whether a front-end is connected
     * @param memory what the front-end shares of the guest's memory, less what memory devices have unplugged of it; 0 while
     *     nothing is shared
     * @param target the logical size that is wanted; empty if nobody wants another than the whole
     * @param actual the logical size that the driver has reported: memory less the balloon
     * @param ballooned the pages that the driver put into the balloon and has not taken out
     * @param features the balloon's features that driver and device agreed on, by name
     * @param statisticsInterval seconds; 0 when nobody asks by itself
     */
    public record Balloon(
            boolean connected,
            long memory,
            OptionalLong target,
            long actual,
            long ballooned,
            List<String> features,
            int statisticsInterval) {}
}
