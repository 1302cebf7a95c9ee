package org.exomem.vmm;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * The messages with page descriptors in a guest's RAM, as its driver sent them, read from the file of the RAM without
 * the device. Only for guests whose RAM is all below 3 GiB, so that a guest's address is the offset in the file.
 *
 * <p>Messages of earlier drivers may be among them.
 */
final class ToldInRam {
    private static final int PAGE = 4096;
    private static final int HEADER = 32;
    private static final int GUARD = 16;
    private static final int RANGE = 32;
    /** The driver's buffers begin at a page. */
    private static final int LONGEST = 2 * PAGE;
    /** The number of bytes of the file that are searched at once. */
    private static final int PART = 4 << 20;

    private record Guard(long address, int mask, int value) {}

    private record Range(long address, int pages, long descriptors, int guards) {}

    private record Message(
            int mostOrder,
            int stride,
            int markOffset,
            int orderOffset,
            int markMask,
            int markValue,
            List<Guard> guards,
            List<Range> ranges) {}

    private final HostMemory ram;
    private final List<Message> messages;

    private ToldInRam(HostMemory ram, List<Message> messages) {
        this.ram = ram;
        this.messages = messages;
    }

    static ToldInRam find(HostMemory ram) throws IOException {
        List<Message> messages = new ArrayList<>();
        for (long start = 0; start < ram.size(); start += PART) {
            ByteBuffer part = words(ram, start, PART);
            for (int at = 0; at < PART; at += PAGE) {
                if (isMessage(part, at)) {
                    messages.add(parse(words(ram, start + at, LONGEST)));
                }
            }
        }
        return new ToldInRam(ram, messages);
    }

    private static boolean isMessage(ByteBuffer bytes, int at) {
        return bytes.getInt(at) == 0
                && bytes.getInt(at + 4) == 1
                && bytes.get(at + 8) == 12
                && bytes.get(at + 9) == 10
                && bytes.getShort(at + 10) == 64
                && bytes.getInt(at + 24) == 32
                && bytes.getInt(at + 28) > 0
                && bytes.getInt(at + 28) <= (LONGEST - HEADER - 32 * GUARD) / RANGE;
    }

    private static Message parse(ByteBuffer bytes) {
        List<Guard> guards = new ArrayList<>();
        List<Range> ranges = new ArrayList<>();
        int at = HEADER;
        for (; guards.size() < bytes.getShort(24); at += GUARD) {
            guards.add(new Guard(bytes.getLong(at), bytes.getInt(at + 8), bytes.getInt(at + 12)));
        }
        for (; ranges.size() < bytes.getInt(28); at += RANGE) {
            ranges.add(new Range(
                    bytes.getLong(at),
                    Math.toIntExact(bytes.getLong(at + 8)),
                    bytes.getLong(at + 16),
                    bytes.getInt(at + 24)));
        }
        return new Message(
                bytes.get(9),
                bytes.getShort(10),
                bytes.getShort(12),
                bytes.getShort(14),
                bytes.getInt(16),
                bytes.getInt(20),
                guards,
                ranges);
    }

    /** Returns the number of pages in ranges whose guards all hold. */
    long pages() throws IOException {
        long pages = 0;
        for (Message message : messages) {
            for (Range range : message.ranges) {
                pages += holds(message, range) ? range.pages : 0;
            }
        }
        return pages;
    }

    /** Returns the numbers of the pages that are reported as free. */
    BitSet free() throws IOException {
        BitSet free = new BitSet();
        for (Message message : messages) {
            for (Range range : message.ranges) {
                if (holds(message, range)) {
                    read(message, range, free);
                }
            }
        }
        return free;
    }

    private boolean holds(Message message, Range range) throws IOException {
        for (int i = 0; i < message.guards.size(); i++) {
            Guard guard = message.guards.get(i);
            if ((range.guards & 1 << i) != 0
                    && (words(ram, guard.address, Integer.BYTES).getInt(0) & guard.mask) != guard.value) {
                return false;
            }
        }
        return true;
    }

    private void read(Message message, Range range, BitSet free) throws IOException {
        ByteBuffer descriptors = words(ram, range.descriptors, range.pages * message.stride);
        int first = Math.toIntExact(range.address / PAGE);
        for (int page = 0; page < range.pages; page++) {
            int at = page * message.stride;
            if ((descriptors.getInt(at + message.markOffset) & message.markMask) != message.markValue) {
                continue;
            }
            int order = descriptors.getInt(at + message.orderOffset);
            if (order < 0 || order > message.mostOrder || (first + page) % (1 << order) != 0) {
                throw new IllegalStateException("a block of order " + order + " at page " + (first + page));
            }
            free.set(first + page, first + Math.min(page + (1 << order), range.pages));
        }
    }

    private static ByteBuffer words(HostMemory ram, long address, int bytes) throws IOException {
        return ByteBuffer.wrap(ram.read(address, bytes)).order(ByteOrder.LITTLE_ENDIAN);
    }
}
