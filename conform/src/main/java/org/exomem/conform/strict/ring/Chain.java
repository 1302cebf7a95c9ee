package org.exomem.conform.strict.ring;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.exomem.conform.strict.memory.GuestMemory;

/**
 * A chain that the driver has made available, valid or not.
 *
 * @param id the id with which it is returned: the head in a split ring, the buffer's id in a packed one
 * @param descriptors those in the ring
 * @param table those in the indirect table, if there is one in guest memory
 * @param fault why it can't be followed to its end; empty if it can
 * @param number of the chain in its ring, from 0
 */
public record Chain(int id, List<Descriptor> descriptors, List<Descriptor> table, Optional<String> fault, long number) {
    public Chain {
        descriptors = List.copyOf(descriptors);
        table = List.copyOf(table);
    }

    /** The descriptors of buffers: those in the table are included, and those that refer to a table are not. */
    public List<Descriptor> buffers() {
        if (table.isEmpty()) {
            return descriptors.stream()
                    .filter(each -> !each.has(Descriptor.INDIRECT))
                    .toList();
        }
        return java.util.stream.Stream.concat(
                        descriptors.stream().filter(each -> !each.has(Descriptor.INDIRECT)), table.stream())
                .toList();
    }

    public List<Descriptor> readable() {
        return buffers().stream().filter(each -> !each.has(Descriptor.WRITE)).toList();
    }

    public List<Descriptor> writable() {
        return buffers().stream().filter(each -> each.has(Descriptor.WRITE)).toList();
    }

    /** The bytes that the device reads, as far as they are in guest memory; at most the first 64 KiB. */
    public byte[] bytes(GuestMemory memory) {
        byte[] all = new byte[0];
        for (Descriptor buffer : readable()) {
            MemorySegment bytes = memory.guest(buffer.address(), buffer.length());
            if (bytes != null && all.length + bytes.byteSize() <= 1 << 16) {
                byte[] more = bytes.toArray(ValueLayout.JAVA_BYTE);
                byte[] joined = Arrays.copyOf(all, all.length + more.length);
                System.arraycopy(more, 0, joined, all.length, more.length);
                all = joined;
            }
        }
        return all;
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("chain ").append(id);
        descriptors.forEach(each -> text.append(' ').append(each));
        if (!table.isEmpty()) {
            text.append(" with");
            table.forEach(each -> text.append(' ').append(each));
        }
        return text.length() > 600 ? text.substring(0, 600) + " …" : text.toString();
    }
}
