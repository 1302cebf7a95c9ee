package org.exomem.vhostuser.backend;

import java.lang.foreign.MemorySegment;
import org.exomem.linux.DescriptorReserve;
import org.exomem.linux.Fd;
import org.exomem.linux.FileStatus;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.exomem.vhostuser.protocol.InflightDescription;
import org.exomem.vhostuser.protocol.Reply;
import org.exomem.vhostuser.virtqueue.InflightRegion;
import org.exomem.vhostuser.virtqueue.RingLayout;

/**
 * The memory in which each queue records the chains that it has popped and not pushed (vhost-user, "Inflight I/O tracking"):
 * one region for each queue, one after the other. The front-end keeps it when the back-end crashes.
 */
final class InflightBuffer implements AutoCloseable {
    private final Mapping mapping;
    private final MemorySegment bytes;
    private final InflightDescription description;
    private final long features;

    private InflightBuffer(Mapping mapping, MemorySegment bytes, InflightDescription description, long features) {
        this.mapping = mapping;
        this.bytes = bytes;
        this.description = description;
        this.features = features;
    }

    /** Makes the memory for GET_INFLIGHT_FD (VHU-INF-1). It is used only when the front-end sends it back. */
    static Reply create(InflightDescription wanted, long features, int maxQueues) throws LinuxException {
        check("GET_INFLIGHT_FD", wanted, maxQueues);
        long size = size(wanted, features);
        return DescriptorReserve.ofProcess().lend(() -> {
            try (SharedFile file = SharedFile.memfd("exomem-inflight", size)) {
                return Reply.inflight(wanted.withMmapSize(size), file.fd().duplicate());
            }
        });
    }

    /** Maps the memory of SET_INFLIGHT_FD, if it is large enough (VHU-INF-2). */
    static InflightBuffer map(InflightDescription description, Fd fd, long features, int maxQueues)
            throws LinuxException {
        check("SET_INFLIGHT_FD", description, maxQueues);
        long wanted = size(description, features);
        long offset = description.mmapOffset();
        FileStatus status = FileStatus.of(fd);
        if (description.mmapSize() < wanted || offset < 0 || (offset & 7) != 0) {
            throw new FrontEndFault("SET_INFLIGHT_FD brings " + description.mmapSize() + " bytes at offset " + offset
                    + " for queues that need " + wanted);
        }
        if (!status.isRegularFile() || offset > status.size() - wanted) {
            throw new FrontEndFault("SET_INFLIGHT_FD brings a file of " + status.size() + " bytes (" + fd.description()
                    + ") for " + wanted + " bytes at offset " + offset);
        }
        try (SharedFile file = new SharedFile(fd)) {
            long slack = offset & (file.pageSize() - 1);
            Mapping mapping = Mapping.of(file, offset - slack, slack + wanted);
            return new InflightBuffer(mapping, mapping.segment().asSlice(slack, wanted), description, features);
        }
    }

    private static void check(String request, InflightDescription description, int maxQueues) {
        if (description.numQueues() < 1 || description.numQueues() > maxQueues) {
            throw new FrontEndFault(
                    request + " has " + description.numQueues() + " queues; the device has " + maxQueues);
        }
        if (description.queueSize() < 1 || description.queueSize() > RingLayout.MAX_SIZE) {
            throw new FrontEndFault(request + " has queues of size " + description.queueSize() + "; must be 1 to "
                    + RingLayout.MAX_SIZE);
        }
    }

    private static long size(InflightDescription description, long features) {
        return description.numQueues() * InflightRegion.bytes(description.queueSize(), features);
    }

    /** The region of a queue, which may have fewer descriptors than there is room for. */
    MemorySegment region(int queue, int queueSize) {
        if (queue >= description.numQueues() || queueSize > description.queueSize()) {
            throw new FrontEndFault("queue " + queue + " of size " + queueSize
                    + " does not fit into in-flight memory for " + description.numQueues() + " queues of size "
                    + description.queueSize());
        }
        long size = InflightRegion.bytes(description.queueSize(), features);
        return bytes.asSlice(queue * size, size);
    }

    /** Clears all records: after a reset, the driver does not wait for these chains. */
    void clear() {
        bytes.fill((byte) 0);
    }

    @Override
    public void close() {
        mapping.close();
    }
}
