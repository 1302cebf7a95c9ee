package org.exomem.backend.vm;

import java.util.List;
import java.util.OptionalLong;

/**
 * A VM and its balloon at one moment. Sizes in bytes.
 *
 * @param name of the VM
 * @param attachment where the front-end attaches, for people
 * @param connected whether a front-end is connected
 * @param memory what the front-end shares of the guest's memory; 0 while none does
 * @param target the logical size that is wanted; empty if nobody wants another than the whole
 * @param actual the logical size that the driver has reported: memory less the balloon
 * @param ballooned the pages that the driver put into the balloon and has not taken out
 * @param features the balloon's features that driver and device agreed on, by name
 * @param statisticsInterval seconds; 0 when nobody asks by itself
 */
public record VmState(
        String name,
        String attachment,
        boolean connected,
        long memory,
        OptionalLong target,
        long actual,
        long ballooned,
        List<String> features,
        int statisticsInterval) {}
