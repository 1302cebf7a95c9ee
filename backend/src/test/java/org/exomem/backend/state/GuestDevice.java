package org.exomem.backend.state;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;
import org.jspecify.annotations.Nullable;

/**
 * A guest's driver and its front-end, which outlive the device's process. The rings and their outstanding requests stay
 * unchanged without a process, and continue with the next one.
 */
abstract class GuestDevice implements AutoCloseable {
    /** An outstanding request of the driver. */
    interface Pending {
        /** The device answered. */
        void answered(Used used) throws IOException;
    }

    private record Outstanding(int id, Pending request) {}

    private static final int RING_SIZE = 64;

    final GuestRam ram;
    private final Path socket;
    private final long features;
    private final boolean tracked;
    private final List<RingDriver> rings = new ArrayList<>();
    private final List<Deque<Outstanding>> outstanding = new ArrayList<>();
    private FrontEnd.@Nullable Inflight inflight;
    private @Nullable AttachedDevice attached;

    /**
     * @param features that the driver acknowledges
     * @param tracked true if the front-end keeps in-flight memory for the device
     */
    GuestDevice(GuestRam ram, Path socket, int queues, long features, boolean tracked) throws IOException {
        this.ram = ram;
        this.socket = socket;
        this.features = Features.VERSION_1 | Features.PROTOCOL_FEATURES | features;
        this.tracked = tracked;
        for (int i = 0; i < queues; i++) {
            rings.add(RingDriver.of(ram, i, RING_SIZE, this.features));
            outstanding.add(new ArrayDeque<>());
        }
    }

    /** Connects to the present process of the device, and resumes every ring at its position. */
    void connect() throws IOException {
        AttachedDevice device = AttachedDevice.attach(
                FrontEnd.connect(socket),
                ram,
                features,
                Features.Protocol.REPLY_ACK
                        | Features.Protocol.CONFIG
                        | Features.Protocol.CONFIGURE_MEM_SLOTS
                        | (tracked ? Features.Protocol.INFLIGHT_SHMFD : 0));
        attached = device;
        if (device.features() != features) {
            throw new IOException("the device does not offer 0x" + Long.toHexString(features & ~device.features()));
        }
        if (tracked) {
            if (inflight == null) {
                inflight = device.frontEnd().getInflightFd(rings.size(), RING_SIZE);
            }
            device.frontEnd().setInflightFd(inflight);
        }
        for (RingDriver ring : rings) {
            device.start(ring, ring.usedBase(), false);
        }
    }

    /** Closes the connection after the end of its process, and takes the answers that the process had still written. */
    void disconnect() throws IOException {
        if (attached != null) {
            attached.close();
            attached = null;
        }
        for (int i = 0; i < rings.size(); i++) {
            poll(i);
        }
    }

    FrontEnd frontEnd() {
        if (attached == null) {
            throw new IllegalStateException("not connected");
        }
        return attached.frontEnd();
    }

    int outstanding(int queue) {
        return outstanding.get(queue).size();
    }

    void submit(int queue, List<Buffer> chain, Pending request) {
        outstanding.get(queue).add(new Outstanding(rings.get(queue).add(chain), request));
    }

    void kick(int queue) {
        rings.get(queue).kick();
    }

    /** Takes the device's answers. */
    void poll(int queue) throws IOException {
        for (Used used = rings.get(queue).poll();
                used != null;
                used = rings.get(queue).poll()) {
            take(queue, used);
        }
    }

    /** Waits until everything is answered. */
    void drain(int queue) throws IOException {
        kick(queue);
        while (outstanding(queue) > 0) {
            take(queue, rings.get(queue).await(FrontEnd.LIMIT.multipliedBy(4)));
        }
    }

    private void take(int queue, Used used) throws IOException {
        Outstanding first = outstanding.get(queue).remove();
        if (first.id() != used.id()) {
            throw new IOException(
                    "queue " + queue + ": chain " + used.id() + " came back, and " + first.id() + " was first");
        }
        first.request().answered(used);
    }

    /** One step of the load: may send new requests, and takes answers. */
    abstract void step() throws IOException;

    /** Waits for outstanding requests, and compares the device's complete state with the guest's. */
    abstract void check(DevicesProcess process) throws IOException;

    @Override
    public void close() {
        if (attached != null) {
            attached.close();
        }
        if (inflight != null) {
            inflight.close();
        }
        rings.forEach(RingDriver::close);
    }
}
