package org.exomem.backend.control;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.LongSupplier;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmTable;

/**
 * How many clients the control socket takes (CTL-19). Each costs a descriptor, and so do VMs: with none left, a front-end's
 * next message with descriptors would end its connection. So what VMs may need is kept for them, even if few clients remain.
 */
final class ClientLimit {
    /** So many are taken in any case: somebody must be able to look at a process that is full. */
    private static final long LEAST = 8;
    /** More are a fault of whoever connects; each costs some 10 KiB. */
    private static final long MOST = 4096;
    /** What the process itself has open, and a migration with all its channels and memory files. */
    private static final long FOR_THE_PROCESS = 128;
    /** An event loop's epoll, eventfd and timer. */
    private static final long FOR_A_VM = 3;
    /**
     * A device's sockets, the eventfds of its queues, and its memory: a balloon has three for each of five queues; a message
     * brings eight descriptors more at once.
     */
    private static final long FOR_A_DEVICE = 40;

    private final VmTable vms;
    private final LongSupplier descriptors;

    ClientLimit(VmTable vms) {
        this(vms, ClientLimit::descriptorLimit);
    }

    /** @param descriptors how many the process may have open */
    ClientLimit(VmTable vms, LongSupplier descriptors) {
        this.vms = vms;
        this.descriptors = descriptors;
    }

    /** How many there may be with the VMs that are served now. */
    long most() {
        long devices = 0;
        long count = 0;
        for (VirtualMachine vm : vms.all()) {
            devices += Math.max(1, vm.sockets().size());
            count++;
        }
        long reserve = FOR_THE_PROCESS + count * FOR_A_VM + devices * FOR_A_DEVICE;
        return Math.clamp(descriptors.getAsLong() - reserve, LEAST, MOST);
    }

    /** RLIMIT_NOFILE, from {@code /proc/self/limits}: {@code Max open files <soft> <hard> files}. */
    private static long descriptorLimit() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/limits"))) {
                if (line.startsWith("Max open files")) {
                    return Long.parseLong(line.split(" {2,}", -1)[1].strip());
                }
            }
        } catch (IOException | NumberFormatException e) {
            // "unlimited", or no /proc.
        }
        return Long.MAX_VALUE;
    }
}
