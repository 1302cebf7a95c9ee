package org.exomem.backend.control;

/** How many descriptors are kept for what (CTL-19): {@code exomem check} counts by the same numbers as the control socket does. */
public final class DescriptorNeeds {
    /** What the process itself has open, and a migration with all its channels and memory files. */
    public static final long OF_THE_PROCESS = 128;
    /** So many clients of the control socket are taken in any case: somebody must be able to look at a process that is full. */
    public static final long LEAST_CLIENTS = 8;
    /** An event loop's epoll, eventfd and timer. */
    private static final long OF_A_VM = 3;
    /**
     * A device's sockets, the eventfds of its queues, and its memory: a balloon has three for each of five queues; a message
     * brings eight descriptors more at once.
     */
    private static final long OF_A_DEVICE = 40;

    private DescriptorNeeds() {}

    /** What a VM with so many devices may need. */
    public static long ofVm(int devices) {
        return OF_A_VM + Math.max(1, devices) * OF_A_DEVICE;
    }
}
