package org.exomem.fuzz;

import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/**
 * Decides which messages of a front-end are valid in themselves, from the vhost-user document and {@code
 * spec/vhost-user.md}.
 */
final class RightMessage {
    private static final int MOST_PAYLOAD = 4096;
    private static final int VARIABLE = -1;

    /** The size of a request's payload in bytes, and the number of its descriptors. */
    private record Form(int size, int leastFds, int mostFds) {}

    private static final Map<Integer, Form> FORMS = new HashMap<>();

    static {
        for (int number : new int[] {1, 3, 4, 15, 17, 28, 29, 30, 34, 36, 40, 43, 44}) {
            FORMS.put(number, new Form(0, 0, 0));
        }
        for (int number : new int[] {2, 8, 10, 11, 16, 18, 23, 35, 39}) {
            FORMS.put(number, new Form(8, 0, 0));
        }
        for (int number : new int[] {12, 13, 14}) {
            FORMS.put(number, new Form(8, 0, 1));
        }
        for (int number : new int[] {7, 21}) {
            FORMS.put(number, new Form(0, 1, 1));
        }
        FORMS.put(5, new Form(VARIABLE, 1, 8));
        FORMS.put(6, new Form(16, 1, 1));
        FORMS.put(9, new Form(40, 0, 0));
        FORMS.put(24, new Form(VARIABLE, 0, 0));
        FORMS.put(25, new Form(VARIABLE, 0, 0));
        FORMS.put(31, new Form(VARIABLE, 0, 0));
        FORMS.put(32, new Form(VARIABLE, 1, 1));
        FORMS.put(37, new Form(40, 1, 1));
        FORMS.put(38, new Form(40, 0, 1));
        FORMS.put(42, new Form(8, 1, 1));
    }

    private RightMessage() {}

    /** VHU-HDR-2, VHU-HDR-4, VHU-HDR-5 */
    static boolean isHeader(ByteBuffer message) {
        int flags = message.getInt(4);
        return (flags & 3) == 1 && (flags & 4) == 0 && Integer.compareUnsigned(message.getInt(8), MOST_PAYLOAD) <= 0;
    }

    static boolean isKnown(int number) {
        return FORMS.containsKey(number);
    }

    /** @param number of a known request */
    static boolean isRight(int number, ByteBuffer payload, int fds) {
        Form form = FORMS.get(number);
        int size = payload.capacity();
        if (isAcknowledgement(number, payload, fds)) {
            return true;
        }
        if (form == null || fds < form.leastFds || fds > form.mostFds || (form.size != VARIABLE && size != form.size)) {
            return false;
        }
        return switch (number) {
            case 5 -> isMemoryTable(payload, fds);
            case 6 -> isLog(payload.getLong(0), payload.getLong(8));
            case 9 -> (payload.getInt(4) & ~1) == 0;
            case 12, 13, 14 -> isNotifier(payload.getLong(0), fds);
            case 18 -> payload.getInt(4) == 0 || payload.getInt(4) == 1;
            case 24, 25 -> isConfig(payload);
            case 31, 32 -> size == 20 || size == 24;
            case 39 -> (payload.getLong(0) & ~0xffL) == 0;
            case 42 -> (payload.getInt(0) == 0 || payload.getInt(0) == 1) && payload.getInt(4) == 0;
            default -> true;
        };
    }

    /** VHU-PST-5: a number instead of regions, which is 0. */
    static boolean isAcknowledgement(int number, ByteBuffer payload, int fds) {
        return (number == 5 || number == 37 || number == 38)
                && fds == 0
                && payload.capacity() == 8
                && payload.getLong(0) == 0;
    }

    private static boolean isMemoryTable(ByteBuffer payload, int fds) {
        int size = payload.capacity();
        return size >= 8 && payload.getInt(0) == fds && (size == 8 + 32 * fds || size == 8 + 32 * 8);
    }

    private static boolean isLog(long size, long offset) {
        return size > 0 && offset >= 0 && size + offset > 0;
    }

    private static boolean isNotifier(long value, int fds) {
        boolean none = (value & 0x100) != 0;
        return (value & ~0x1ffL) == 0 && fds == (none ? 0 : 1);
    }

    private static boolean isConfig(ByteBuffer payload) {
        if (payload.capacity() < 12) {
            return false;
        }
        long offset = Integer.toUnsignedLong(payload.getInt(0));
        long size = Integer.toUnsignedLong(payload.getInt(4));
        return size >= 1 && offset + size <= 256 && payload.capacity() == 12 + size && (payload.getInt(8) & ~1) == 0;
    }
}
