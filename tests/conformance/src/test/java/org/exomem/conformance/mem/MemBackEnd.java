package org.exomem.conformance.mem;

import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.mem.KeptBlocks;
import org.exomem.mem.MemListener;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.mem.VirtioMem;
import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.EndpointListener;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.FaultKind;

/** A memory device on a socket, in this process, the reports to its operator, and memory for its guest. */
public final class MemBackEnd implements AutoCloseable, EndpointListener, MemListener {
    static final long MIB = 1 << 20;
    static final long ADDRESS = 4L << 30;
    static final long SIZE = 512 * MIB;
    static final long BLOCK = 2 * MIB;

    public final Path socket;
    public final VirtioMem device;
    final GuestRam ram;
    final List<String> refusals = new CopyOnWriteArrayList<>();
    final PageFeed feed = new PageFeed();
    /** The reported sizes, in bytes. */
    final List<Long> pluggedSizes = new CopyOnWriteArrayList<>();

    final List<String> faults = new CopyOnWriteArrayList<>();
    private final EventLoop loop = new EventLoop("mem");
    private final Endpoint endpoint;

    public MemBackEnd(Path folder, long requested, boolean preallocate) throws Exception {
        this(folder, requested, preallocate, OptionalInt.of(1));
    }

    MemBackEnd(Path folder, long requested, boolean preallocate, OptionalInt node) throws Exception {
        this(
                folder.resolve("mem.sock"),
                KeptBlocks.ofHeap(new MemoryRegionPlan(ADDRESS, SIZE, BLOCK, node)),
                requested,
                preallocate,
                GuestRam.ofLayout(0, 16 * MIB, ADDRESS, SIZE));
    }

    /** @param ram closed with this */
    MemBackEnd(Path socket, KeptBlocks kept, long requested, boolean preallocate, GuestRam ram) throws Exception {
        this.socket = socket;
        this.ram = ram;
        device = new VirtioMem(kept, preallocate, requested, this, feed);
        endpoint = Endpoint.listen(socket, device, loop, this);
    }

    MemDriver connect() throws Exception {
        return connect(Features.VERSION_1);
    }

    MemDriver connect(long ringFeatures) throws Exception {
        return MemDriver.start(attach(ringFeatures));
    }

    /** Attaches a front-end that shares its memory; its driver has not started. */
    AttachedDevice attach(long ringFeatures) throws Exception {
        return AttachedDevice.attach(
                FrontEnd.connect(socket),
                ram,
                Features.VERSION_1 | Features.PROTOCOL_FEATURES | ringFeatures | 0b111,
                Features.Protocol.REPLY_ACK
                        | Features.Protocol.CONFIG
                        | Features.Protocol.STATUS
                        | Features.Protocol.RESET_DEVICE
                        | Features.Protocol.BACKEND_REQ
                        | Features.Protocol.LOG_SHMFD
                        | Features.Protocol.CONFIGURE_MEM_SLOTS
                        | Features.Protocol.DEVICE_STATE);
    }

    <T> T onLoop(Callable<T> task) throws Exception {
        return loop.submit(task).get(1, TimeUnit.MINUTES);
    }

    /** Runs a whole round of the patrol. Returns the bytes that it finds, which it punches. */
    long patrol() throws Exception {
        await().atMost(Duration.ofMinutes(1)).until(() -> onLoop(device::canPatrol));
        return onLoop(() ->
                Objects.requireNonNull(device.patrol(true, Long.MAX_VALUE / 2)).bytes());
    }

    /** Resets the system. Returns when no block is plugged. */
    void systemReset() throws Exception {
        onLoop(device::systemReset).get(1, TimeUnit.MINUTES);
    }

    void request(long size) throws Exception {
        onLoop(() -> {
            device.request(size);
            return true;
        });
    }

    static long block(long index) {
        return ADDRESS + index * BLOCK;
    }

    @Override
    public void pluggedSizeChanged(long pluggedSize) {
        pluggedSizes.add(pluggedSize);
    }

    @Override
    public void refused(String reason) {
        refusals.add(reason);
    }

    @Override
    public void connected() {}

    @Override
    public void disconnected(String reason) {}

    @Override
    public void fault(FaultKind kind, String message) {
        faults.add(kind + " " + message);
    }

    @Override
    public void close() {
        endpoint.close();
        loop.close();
        ram.close();
    }
}
