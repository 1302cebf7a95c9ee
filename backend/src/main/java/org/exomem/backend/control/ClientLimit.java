package org.exomem.backend.control;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.LongSupplier;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmTable;

/**
 * The limit of the number of clients of the control socket (CTL-19). Each client needs a descriptor, and so do VMs: if none
 * is left, a front-end's next message with descriptors would end its connection. So the descriptors that VMs may need are
 * reserved, even if few clients remain.
 */
final class ClientLimit {
    /** More clients than this are an error of their user. Each takes about 10 KiB. */
    private static final long MOST = 4096;

    private final VmTable vms;
    private final LongSupplier others;
    private final LongSupplier descriptors;

    /** @param others the descriptors that are reserved for neither VMs nor clients */
    ClientLimit(VmTable vms, LongSupplier others) {
        this(vms, others, ClientLimit::descriptorLimit);
    }

    /** @param descriptors the limit of descriptors of the process */
    ClientLimit(VmTable vms, LongSupplier others, LongSupplier descriptors) {
        this.vms = vms;
        this.others = others;
        this.descriptors = descriptors;
    }

    /** The most clients, given the VMs that are served now. */
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
