package org.exomem.backend.control;

/** How many descriptors are reserved (CTL-19). {@code exomem check} uses the same numbers as the control socket. */
public final class DescriptorNeeds {
    /** For the process itself, and for a migration with all its channels and memory files. */
    public static final long OF_THE_PROCESS = 128;
    /**
     * This many clients of the control socket are always accepted, so that an operator can examine a process that is full.
     */
    public static final long LEAST_CLIENTS = 8;
    /** The epoll, eventfd and timer of an event loop. */
    private static final long OF_A_VM = 3;
    /**
     * A device's sockets, the eventfds of its queues, and its memory. A balloon has three eventfds for each of five queues.
     * A message may bring eight more descriptors.
     */
    private static final long OF_A_DEVICE = 40;

    private DescriptorNeeds() {}

    /** The descriptors that a VM with this many devices may need. */
    public static long ofVm(int devices) {
        return OF_A_VM + Math.max(1, devices) * OF_A_DEVICE;
    }
}
