package org.exomem.backend.vm;

import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A VM and its devices at one moment. Sizes in bytes.
 *
 * @param attachment where the VMM attaches, for people: to the balloon, or else to the memory devices
 * @param active the estimate of the guest's writes, if it is configured
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
     * @param memory the guest's memory that the front-end shares, without unplugged blocks of memory devices; 0 while none
     *     is shared
     * @param target the requested logical size; empty if none but the whole was requested
     * @param actual the logical size that the driver has reported: memory less the balloon
     * @param ballooned bytes that the driver put into the balloon and has not taken out
     * @param features the balloon's features that driver and device agreed on, by name
     * @param statisticsInterval seconds; 0 if statistics are not requested at an interval
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
