package org.exomem.conform.trial;

import java.util.ArrayList;
import java.util.List;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;

/**
 * The sample request with its buffers at other addresses: near a border, in another region, or between guard bytes that
 * must not change. For one thread.
 */
public final class MovedRequest {
    /** The guard bytes around a buffer, and the content of a writable buffer before the device writes it. */
    private static final byte CANARY = (byte) 0xa5;

    private static final int GUARD = 32;

    private final GuestRam ram;
    private final List<Part> parts = new ArrayList<>();

    private record Part(Buffer original, long address) {}

    private MovedRequest(GuestRam ram) {
        this.ram = ram;
    }

    /** Places the buffers one behind the other from an address on. They may span several regions. */
    public static MovedRequest to(GuestRam ram, List<Buffer> request, long address) {
        MovedRequest moved = new MovedRequest(ram);
        long at = address;
        for (Buffer buffer : request) {
            moved.place(buffer, at);
            at += buffer.length();
        }
        return moved;
    }

    /** Places each buffer elsewhere, between guard bytes; see {@link #requireGuardsKept}. */
    public static MovedRequest guarded(GuestRam ram, List<Buffer> request) {
        MovedRequest moved = new MovedRequest(ram);
        for (Buffer buffer : request) {
            long room = ram.allocate(buffer.length() + 2 * GUARD, 16);
            ram.fill(room, buffer.length() + 2 * GUARD, CANARY);
            moved.place(buffer, room + GUARD);
        }
        return moved;
    }

    private void place(Buffer buffer, long address) {
        copy(buffer.address(), address, buffer.length());
        parts.add(new Part(buffer, address));
    }

    /** Fills all buffers that the device may write with one byte, to see later what it has written. */
    public void fillWritable(int value) {
        for (Part part : parts) {
            for (long i = 0; part.original.writable() && i < part.original.length(); i++) {
                ram.putByte(part.address + i, value);
            }
        }
    }

    public List<Buffer> buffers() {
        return parts.stream()
                .map(part -> new Buffer(part.address, part.original.length(), part.original.writable()))
                .toList();
    }

    /** The present content of all buffers that the device may write, in their order. */
    public byte[] writable() {
        int size = (int) parts.stream()
                .filter(part -> part.original.writable())
                .mapToLong(part -> part.original.length())
                .sum();
        byte[] bytes = new byte[size];
        int at = 0;
        for (Part part : parts) {
            for (long i = 0; part.original.writable() && i < part.original.length(); i++) {
                bytes[at++] = ram.getByte(part.address + i);
            }
        }
        return bytes;
    }

    /** Copies what the device wrote to the place where the request expects its answer. */
    public void bringBack() {
        for (Part part : parts) {
            if (part.original.writable()) {
                copy(part.address, part.original.address(), part.original.length());
            }
        }
    }

    /** Fails if a readable buffer has changed. */
    public void requireReadablesKept() {
        for (Part part : parts) {
            for (long i = 0; !part.original.writable() && i < part.original.length(); i++) {
                byte is = ram.getByte(part.address + i);
                byte was = ram.getByte(part.original.address() + i);
                if (is != was) {
                    throw new Unmet("byte " + i + " of a device-readable buffer of " + part.original.length()
                            + " bytes was " + hex(was) + " and is " + hex(is) + " now");
                }
            }
        }
    }

    /** Fails if a byte outside the buffers was written. */
    public void requireGuardsKept() {
        for (Part part : parts) {
            for (long i = 1; i <= GUARD; i++) {
                requireCanary(part.address - i, i + " bytes before", part);
                requireCanary(part.address + part.original.length() + i - 1, i + " bytes after the end of", part);
            }
        }
    }

    private void requireCanary(long address, String where, Part part) {
        byte is = ram.getByte(address);
        if (is != CANARY) {
            throw new Unmet("the device wrote " + hex(is) + " " + where + " a "
                    + (part.original.writable() ? "writable" : "readable") + " buffer of "
                    + part.original.length() + " bytes at 0x" + Long.toHexString(part.address));
        }
    }

    private static String hex(byte value) {
        return String.format("0x%02x", value);
    }

    private void copy(long from, long to, long length) {
        for (long i = 0; i < length; i++) {
            ram.putByte(to + i, ram.getByte(from + i));
        }
    }
}
