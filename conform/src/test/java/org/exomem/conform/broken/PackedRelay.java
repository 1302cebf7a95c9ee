package org.exomem.conform.broken;

import static org.exomem.conform.broken.GuestView.LE_INT;
import static org.exomem.conform.broken.GuestView.LE_LONG;
import static org.exomem.conform.broken.GuestView.LE_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.exomem.conformance.frontend.Features;

/**
 * A packed ring. A relay knows a ring's position only from SET_VRING_BASE, so it can't follow one that continues where
 * the in-flight area says. Nor can it follow a ring full of zeros that begins with a wrap counter of 0: zeros look like
 * used descriptors there.
 */
final class PackedRelay extends RingRelay {
    private static final int WRITE = 2;
    private static final int AVAILABLE = 1 << 7;
    private static final int USED = 1 << 15;
    private static final int ENABLE = 0;
    private static final int AT_DESCRIPTOR = 2;
    private static final long VISIBLE_NANOS = 20_000_000;

    /** Written instead of a length if the write flag is not set. */
    private static final long NOTHING_WRITTEN = -1;

    private final List<Chain> inOrder = new ArrayList<>();
    private final List<Integer> slotCounts = new ArrayList<>();
    private int base;
    private int seen;
    private boolean seenWrap;
    private int taken;
    private boolean takenWrap;
    private int takenBefore;
    private boolean takenBeforeWrap;
    private int publishedBefore;
    private int publishedSlots;

    PackedRelay(int index, MemorySegment shadow, Line line, Tampering tampering) {
        super(index, shadow, line, tampering);
    }

    /** The position of SET_VRING_BASE. */
    void setBase(int position) {
        base = position;
    }

    @Override
    long driverBytes() {
        return 4;
    }

    @Override
    long deviceBytes() {
        return 4;
    }

    @Override
    void begin() {
        seen = base & 0x7fff;
        seenWrap = (base & 0x8000) != 0;
        int used = base >>> 16;
        taken = used & 0x7fff;
        takenWrap = (used & 0x8000) != 0;
        // An earlier back-end had taken and not used the chains between the two positions. The shadow has them from the
        // start.
        inOrder.clear();
        int at = taken;
        MemorySegment ring = descriptors;
        for (int i = 0; ring != null && at != seen && i < size(); i++) {
            Chain chain = Chain.packed(at, ring, size(), memory);
            note(chain);
            at = (at + chain.slots()) % size();
        }
        shadowDriverArea().fill((byte) 0);
    }

    private void note(Chain chain) {
        chains.put(chain.id(), chain);
        inOrder.add(chain);
    }

    private static boolean isAvailable(int flags, boolean wrap) {
        return ((flags & AVAILABLE) != 0) == wrap && ((flags & USED) != 0) != wrap;
    }

    private static boolean isUsed(int flags, boolean wrap) {
        return ((flags & AVAILABLE) != 0) == wrap && ((flags & USED) != 0) == wrap;
    }

    @Override
    void hide() {
        shadowDescriptors().fill((byte) 0);
    }

    @Override
    boolean passAvailable() {
        MemorySegment ring = descriptors;
        MemorySegment device = deviceArea;
        if (ring == null || device == null) {
            return false;
        }
        // All kicks are wanted.
        device.set(LE_SHORT, 2, (short) ENABLE);
        VarHandle.fullFence();
        boolean any = false;
        while (isAvailable((short) SHORT.getAcquire(ring, 16L * seen + 14), seenWrap)) {
            Chain chain = Chain.packed(seen, ring, size(), memory);
            note(chain);
            tampering.available(this, chain);
            for (int i = chain.slots() - 1; i >= 0; i--) {
                copySlot(ring, (seen + i) % size());
            }
            seen += chain.slots();
            if (seen >= size()) {
                seen -= size();
                seenWrap = !seenWrap;
            }
            any = true;
        }
        return any;
    }

    private void copySlot(MemorySegment ring, int slot) {
        long at = 16L * slot;
        MemorySegment shadow = shadowDescriptors();
        shadow.set(LE_LONG, at, ring.get(LE_LONG, at));
        shadow.set(LE_INT, at + 8, ring.get(LE_INT, at + 8));
        shadow.set(LE_SHORT, at + 12, ring.get(LE_SHORT, at + 12));
        SHORT.setRelease(shadow, at + 14, ring.get(LE_SHORT, at + 14));
    }

    @Override
    List<Element> takeUsed() {
        List<Element> elements = new ArrayList<>();
        MemorySegment shadow = shadowDescriptors();
        int at = taken;
        boolean wrap = takenWrap;
        while (elements.size() < size()) {
            int flags = (short) SHORT.getAcquire(shadow, 16L * at + 14);
            if (!isUsed(flags, wrap)) {
                break;
            }
            int id = Short.toUnsignedInt(shadow.get(LE_SHORT, 16L * at + 12));
            long written = Integer.toUnsignedLong(shadow.get(LE_INT, 16L * at + 8));
            elements.add(new Element(id, (flags & WRITE) != 0 ? written : NOTHING_WRITTEN));
            at += slotsUpTo(id);
            if (at >= size()) {
                at -= size();
                wrap = !wrap;
            }
        }
        takenBefore = taken;
        takenBeforeWrap = takenWrap;
        taken = at;
        takenWrap = wrap;
        return elements;
    }

    /** With IN_ORDER, one element may stand for all before it. */
    private int slotsUpTo(int id) {
        int slots = 0;
        for (int i = 0; i < inOrder.size(); i++) {
            slots += inOrder.get(i).slots();
            if (inOrder.get(i).id() == id) {
                if (i == 0 || has(Features.IN_ORDER)) {
                    inOrder.subList(0, i + 1).clear();
                } else {
                    slots = inOrder.remove(i).slots();
                }
                slotCounts.add(slots);
                return slots;
            }
        }
        slotCounts.add(1);
        return 1;
    }

    @Override
    void publish(List<Element> elements) {
        MemorySegment ring = descriptors;
        if (ring == null) {
            return;
        }
        int at = takenBefore;
        boolean wrap = takenBeforeWrap;
        publishedBefore = at;
        publishedSlots = 0;
        for (int i = 0; i < elements.size(); i++) {
            Element element = elements.get(i);
            int flags = (wrap ? AVAILABLE | USED : 0) | (element.written() < 0 ? 0 : WRITE);
            if (tampering.publishesBeforeContent(this)) {
                SHORT.setRelease(ring, 16L * at + 14, (short) flags);
                LockSupport.parkNanos(VISIBLE_NANOS);
            }
            ring.set(LE_SHORT, 16L * at + 12, (short) element.id());
            ring.set(LE_INT, 16L * at + 8, (int) Math.max(0, element.written()));
            SHORT.setRelease(ring, 16L * at + 14, (short) flags);
            int slots = i < slotCounts.size() ? slotCounts.get(i) : 1;
            publishedSlots += slots;
            at += slots;
            if (at >= size()) {
                at -= size();
                wrap = !wrap;
            }
        }
        slotCounts.clear();
    }

    @Override
    boolean callWanted() {
        MemorySegment driver = driverArea;
        if (driver == null) {
            return false;
        }
        int flags = (short) SHORT.getAcquire(driver, 2L) & 3;
        if (flags != AT_DESCRIPTOR) {
            return flags == ENABLE;
        }
        int event = driver.get(LE_SHORT, 0);
        int offset = event & 0x7fff;
        int now = publishedBefore + publishedSlots;
        // The wrap counter at the position where the elements began.
        if (((event & 0x8000) != 0) != takenBeforeWrap) {
            offset += size();
        }
        return offset >= publishedBefore && offset < now;
    }
}
