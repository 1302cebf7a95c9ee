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
    /** More are a fault of whoever connects; each costs some 10 KiB. */
    private static final long MOST = 4096;

    private final VmTable vms;
    private final LongSupplier others;
    private final LongSupplier descriptors;

    /** @param others what is kept for what is neither a VM nor a client */
    ClientLimit(VmTable vms, LongSupplier others) {
        this(vms, others, ClientLimit::descriptorLimit);
    }

    /** @param descriptors how many the process may have open */
    ClientLimit(VmTable vms, LongSupplier others, LongSupplier descriptors) {
        this.vms = vms;
        this.others = others;
        this.descriptors = descriptors;
    }

    /** How many there may be with the VMs that are served now. */
    long most() {
        long reserve = DescriptorNeeds.OF_THE_PROCESS + others.getAsLong();
        for (VirtualMachine vm : vms.all()) {
            reserve += DescriptorNeeds.ofVm(vm.sockets().size());
        }
        return Math.clamp(descriptors.getAsLong() - reserve, DescriptorNeeds.LEAST_CLIENTS, MOST);
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
