package org.exomem.conform.broken;

import static org.exomem.conform.broken.GuestView.LE_INT;
import static org.exomem.conform.broken.GuestView.LE_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.exomem.conformance.frontend.Features;

/** A split ring. */
final class SplitRelay extends RingRelay {
    private static final int NO_CALL = 1;
    /** Long enough for a driver that polls to see the fault. */
    private static final long VISIBLE_NANOS = 20_000_000;

    private int seen;
    private int taken;
    private int published;
    private int publishedBefore;

    SplitRelay(int index, MemorySegment shadow, Line line, Tampering tampering) {
        super(index, shadow, line, tampering);
    }

    @Override
    long driverBytes() {
        return 4 + 2L * size() + (has(Features.EVENT_IDX) ? 2 : 0);
    }

    @Override
    long deviceBytes() {
        return 4 + 8L * size() + (has(Features.EVENT_IDX) ? 2 : 0);
    }

    @Override
    void begin() {
        MemorySegment device = deviceArea;
        if (device == null) {
            return;
        }
        published = Short.toUnsignedInt(device.get(LE_SHORT, 2));
        taken = published;
        // Chains that are already available count as new, so that they are known; but the shadow does not contain them
        // yet.
        seen = published;
        shadowDriverArea().set(LE_SHORT, 0, (short) 0);
        if (has(Features.EVENT_IDX)) {
            shadowDriverArea().set(LE_SHORT, 4 + 2L * size(), (short) taken);
        }
    }

    @Override
    void hide() {
        shadowDriverArea().set(LE_SHORT, 2, (short) published);
    }

    @Override
    boolean passAvailable() {
        MemorySegment driver = driverArea;
        MemorySegment device = deviceArea;
        MemorySegment table = descriptors;
        if (driver == null || device == null || table == null) {
            return false;
        }
        boolean any = false;
        while (true) {
            int index = Short.toUnsignedInt((short) SHORT.getAcquire(driver, 2L));
            device.set(LE_SHORT, 0, (short) tampering.usedFlags(this));
            if (has(Features.EVENT_IDX)) {
                SHORT.setRelease(device, 4 + 8L * size(), (short) tampering.availEvent(index));
            }
            if (index == seen) {
                return any;
            }
            shadowDescriptors().copyFrom(table);
            MemorySegment.copy(driver, 4, shadowDriverArea(), 4, 2L * size());
            if (has(Features.EVENT_IDX)) {
                shadowDriverArea().set(LE_SHORT, 4 + 2L * size(), (short) taken);
            }
            for (int i = 0; i < size() && seen != index; i++) {
                int head = Short.toUnsignedInt(driver.get(LE_SHORT, 4 + 2L * (seen % size())));
                Chain chain = Chain.split(head, table, size(), memory);
                chains.put(head, chain);
                tampering.available(this, chain);
                seen = (seen + 1) & 0xffff;
            }
            seen = index;
            SHORT.setRelease(shadowDriverArea(), 2L, (short) index);
            any = true;
            // Chains that were added meanwhile may come without a kick.
            VarHandle.fullFence();
        }
    }

    @Override
    List<Element> takeUsed() {
        List<Element> elements = new ArrayList<>();
        MemorySegment shadow = shadowDeviceArea();
        int index = Short.toUnsignedInt((short) SHORT.getAcquire(shadow, 2L));
        while (taken != index) {
            long entry = 4 + 8L * (taken % size());
            elements.add(new Element(shadow.get(LE_INT, entry), Integer.toUnsignedLong(shadow.get(LE_INT, entry + 4))));
            taken = (taken + 1) & 0xffff;
        }
        if (has(Features.EVENT_IDX)) {
            SHORT.setRelease(shadowDriverArea(), 4 + 2L * size(), (short) taken);
        }
        return elements;
    }

    @Override
    void publish(List<Element> elements) {
        MemorySegment device = deviceArea;
        if (device == null) {
            return;
        }
        publishedBefore = published;
        int index = (published + elements.size()) & 0xffff;
        if (tampering.publishesBeforeContent(this)) {
            SHORT.setRelease(device, 2L, (short) index);
            LockSupport.parkNanos(VISIBLE_NANOS);
        }
        for (Element element : elements) {
            long entry = 4 + 8L * (published % size());
            device.set(LE_INT, entry, element.id());
            device.set(LE_INT, entry + 4, (int) element.written());
            published = (published + 1) & 0xffff;
        }
        SHORT.setRelease(device, 2L, (short) index);
    }

    @Override
    boolean callWanted() {
        MemorySegment driver = driverArea;
        if (driver == null) {
            return false;
        }
        if (!has(Features.EVENT_IDX)) {
            return (driver.get(LE_SHORT, 0) & NO_CALL) == 0;
        }
        int event = Short.toUnsignedInt((short) SHORT.getAcquire(driver, 4 + 2L * size()));
        return ((published - event - 1) & 0xffff) < ((published - publishedBefore) & 0xffff);
    }

    /** The used index that the driver sees. */
    int published() {
        return published;
    }
}
