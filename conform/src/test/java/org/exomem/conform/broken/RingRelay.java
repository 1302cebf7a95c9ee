package org.exomem.conform.broken;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.exomem.conformance.frontend.Features;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PipeEnd;
import org.jspecify.annotations.Nullable;

/**
 * A relay between the driver and the back-end at one ring. It is the device for the driver, and the driver for the
 * back-end. The back-end has a ring of its own, the shadow, with the same positions and the same content as the
 * driver's, so that everything that depends on them (reported positions, in-flight areas, logs) stays right.
 *
 * <pre>
 * shadow of one ring       offset in bytes
 * descriptors              0
 * driver's area            512 KiB
 * device's area            640 KiB
 * </pre>
 */
abstract class RingRelay implements AutoCloseable {
    static final long SHADOW_SIZE = 1 << 20;
    static final long DRIVER_AREA = 512 << 10;
    static final long DEVICE_AREA = 640 << 10;
    static final VarHandle SHORT = GuestView.LE_SHORT.withByteAlignment(2).varHandle();

    private final int index;
    private final MemorySegment shadow;
    private final Line line;
    final Tampering tampering;
    final GuestView memory;
    final Map<Integer, Chain> chains = new HashMap<>();
    private @Nullable EventFd frontKick;
    private @Nullable EventFd backKick;
    private @Nullable EventFd frontCall;
    private @Nullable EventFd backCall;
    private long features;
    private int size;
    private boolean running;
    private boolean held;
    private int kicks;

    // The driver's ring, as long as all of it is in guest memory
    @Nullable
    MemorySegment descriptors;

    @Nullable
    MemorySegment driverArea;

    @Nullable
    MemorySegment deviceArea;

    /** @param shadow of this ring, {@link #SHADOW_SIZE} bytes */
    RingRelay(int index, MemorySegment shadow, Line line, Tampering tampering) {
        this.index = index;
        this.shadow = shadow;
        this.tampering = tampering;
        this.line = line;
        this.memory = line.memory();
    }

    /** Continues with the descriptors of another relay of the same ring, which is not used any more. */
    void takeOver(RingRelay other) {
        frontKick = other.frontKick;
        backKick = other.backKick;
        frontCall = other.frontCall;
        backCall = other.backCall;
    }

    int index() {
        return index;
    }

    int size() {
        return size;
    }

    Line line() {
        return line;
    }

    GuestView memory() {
        return memory;
    }

    boolean has(long feature) {
        return (features & feature) != 0;
    }

    boolean isRunning() {
        return running;
    }

    boolean isRelaying() {
        return size > 0;
    }

    /** The chain with an id, or an empty one. */
    Chain chain(int id) {
        return chains.getOrDefault(id, new Chain(id, List.of(), 1));
    }

    MemorySegment shadowDescriptors() {
        return shadow.asSlice(0, descriptorBytes());
    }

    MemorySegment shadowDriverArea() {
        return shadow.asSlice(DRIVER_AREA, driverBytes());
    }

    MemorySegment shadowDeviceArea() {
        return shadow.asSlice(DEVICE_AREA, deviceBytes());
    }

    long descriptorBytes() {
        return 16L * size;
    }

    /** Without a used_event, which the driver need not have. */
    abstract long driverBytes();

    abstract long deviceBytes();

    /** Finds the driver's ring again, because memory has changed, or the ring has moved. */
    void resolve(int newSize, long newFeatures, long[] addresses) {
        size = newSize;
        features = newFeatures;
        descriptors = memory.user(addresses[0], descriptorBytes());
        driverArea = memory.user(addresses[1], driverBytes());
        deviceArea = memory.user(addresses[2], deviceBytes());
    }

    boolean isResolved() {
        return descriptors != null && driverArea != null && deviceArea != null;
    }

    /** Starts the ring, if it does not run: the shadow becomes equal to the driver's ring. */
    void start() {
        if (running || descriptors == null || driverArea == null || deviceArea == null) {
            return;
        }
        shadow.fill((byte) 0);
        shadowDescriptors().copyFrom(descriptors);
        shadowDriverArea().copyFrom(driverArea);
        shadowDeviceArea().copyFrom(deviceArea);
        chains.clear();
        running = true;
        begin();
        // The back-end looks for available chains at its start, without a kick.
        if (held) {
            hide();
        } else {
            passAvailable();
        }
    }

    /** Hides available chains until the driver kicks. Must be called before the start. */
    void holdUntilKicked() {
        held = true;
    }

    /** Removes available chains from the shadow. */
    abstract void hide();

    /** Takes the positions over. */
    abstract void begin();

    void stop() {
        running = false;
    }

    /** Passes available chains on to the back-end. Returns true if there were any. */
    abstract boolean passAvailable();

    /** The elements that the back-end has used since the last call. */
    abstract List<Element> takeUsed();

    /** Passes used elements on to the driver. */
    abstract void publish(List<Element> elements);

    /** Whether the driver wants a call for the elements that were published last. */
    abstract boolean callWanted();

    /** Passes everything on, in both directions. */
    final void pump(Runnable beforePublishing) {
        if (isRelaying() && isResolved()) {
            List<Element> used = takeUsed();
            if (!used.isEmpty()) {
                beforePublishing.run();
                List<Element> shown = tampering.used(this, used);
                publish(shown);
                VarHandle.fullFence();
                call(tampering.calls(this, !shown.isEmpty() && callWanted()));
            }
            boolean kicked = drain(frontKick);
            held &= !kicked;
            kicks += kicked ? 1 : 0;
            boolean looks = kicked || !tampering.waitsForKicks();
            boolean passed = running && !held && looks && passAvailable();
            if (kicked && !passed) {
                tampering.idleKick(this);
            }
            if ((kicked || passed) && backKick != null) {
                backKick.signal();
            }
            drain(backCall);
        } else {
            if (drain(frontKick) && backKick != null) {
                backKick.signal();
            }
            call(drain(backCall));
        }
    }

    /** The number of the driver's kicks; simultaneous kicks count as one. */
    int kicks() {
        return kicks;
    }

    /** Calls the driver by a write of fewer than 8 bytes, which an eventfd refuses. */
    void callWith(int bytes) {
        if (frontCall == null) {
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            PipeEnd pipe = PipeEnd.adopt(frontCall.fd());
            if (pipe != null) {
                pipe.write(arena.allocate(bytes));
            }
        } catch (LinuxException e) {
            // The driver gets no call then.
        }
    }

    void call(boolean wanted) {
        if (wanted && frontCall != null) {
            frontCall.signal();
        }
    }

    private static boolean drain(@Nullable EventFd event) {
        return event != null && event.drain();
    }

    /** Takes the front-end's kick descriptor over. Returns the one for the back-end, or the same if it can't kick. */
    Fd interposeKick(Fd fd) throws LinuxException {
        EventFd adopted = EventFd.adopt(fd);
        if (adopted == null) {
            return fd;
        }
        close(frontKick);
        frontKick = adopted;
        if (backKick == null) {
            backKick = new EventFd();
        }
        return backKick.fd().duplicate();
    }

    /** Takes the front-end's call descriptor over. Returns the one for the back-end, or the same if it can't call. */
    Fd interposeCall(Fd fd) throws LinuxException {
        EventFd adopted = EventFd.adopt(fd);
        if (adopted == null) {
            return fd;
        }
        close(frontCall);
        frontCall = adopted;
        if (backCall == null) {
            backCall = new EventFd();
        }
        return backCall.fd().duplicate();
    }

    /** The front-end polls for used elements. */
    void dropCall() {
        close(frontCall);
        frontCall = null;
    }

    /** The back-end polls for available chains. */
    void dropKick() {
        close(frontKick);
        frontKick = null;
        close(backKick);
        backKick = null;
    }

    /** Adds the descriptors to wait on. */
    void watch(List<Fd> into) {
        if (frontKick != null) {
            into.add(frontKick.fd());
        }
        if (backCall != null) {
            into.add(backCall.fd());
        }
    }

    boolean isPacked() {
        return has(Features.RING_PACKED);
    }

    private static void close(@Nullable EventFd event) {
        if (event != null) {
            event.close();
        }
    }

    @Override
    public void close() {
        close(frontKick);
        close(backKick);
        close(frontCall);
        close(backCall);
    }
}
