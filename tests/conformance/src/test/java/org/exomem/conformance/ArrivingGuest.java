package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.LateMemory;
import org.exomem.conformance.guest.RingDriver;
import org.jspecify.annotations.Nullable;

/**
 * A guest that arrives by post-copy: its driver has made buffers available at another host, and its memory follows.
 * First rings are added and filled. Then {@link #leave} takes all memory away, {@link #listen} begins to bring it, and
 * {@link #start} lets a device continue with a ring.
 */
public final class ArrivingGuest implements AutoCloseable {
    public static final long PROTOCOL = Protocol.MQ
            | Protocol.REPLY_ACK
            | Protocol.PAGEFAULT
            | Protocol.CONFIG
            | Protocol.CONFIGURE_MEM_SLOTS
            | Protocol.STATUS
            | Protocol.RESET_DEVICE;

    public final GuestRam ram;
    public final FrontEnd frontEnd;
    public final long features;
    private final List<RingDriver> rings = new ArrayList<>();
    private @Nullable LateMemory memory;

    /**
     * Negotiates, and shares nothing.
     *
     * @param frontEnd closed with this
     * @param ram closed with this
     * @param wanted the features that are acknowledged if they are offered
     */
    public ArrivingGuest(FrontEnd frontEnd, GuestRam ram, long wanted) throws IOException {
        this.frontEnd = frontEnd;
        this.ram = ram;
        long offered = frontEnd.getFeatures();
        long protocol = frontEnd.getProtocolFeatures();
        assertThat(protocol & Protocol.PAGEFAULT).as("PAGEFAULT is offered").isNotZero();
        frontEnd.setProtocolFeatures(protocol & PROTOCOL);
        frontEnd.setOwner();
        features = offered & (wanted | Features.VERSION_1 | Features.PROTOCOL_FEATURES);
        frontEnd.setFeatures(features);
    }

    public RingDriver addRing(int index, int size) throws IOException {
        RingDriver ring = RingDriver.of(ram, index, size, features);
        rings.add(ring);
        return ring;
    }

    /** The guest has left the other host: no page is present here. */
    public LateMemory leave() throws IOException {
        LateMemory taken = LateMemory.takenFrom(ram);
        memory = taken;
        return taken;
    }

    private LateMemory memory() {
        return Objects.requireNonNull(memory, "the guest has not left");
    }

    /** Makes the arrival of pages possible, and shares all of the memory. */
    public void listen() throws IOException {
        LateMemory late = memory();
        late.advise(frontEnd);
        late.listen(frontEnd);
        late.share(frontEnd);
    }

    /** Lets the device continue with a ring from its beginning; it has taken nothing from the ring. */
    public void start(RingDriver ring) throws IOException {
        start(ring, (features & Features.RING_PACKED) == 0 ? 0 : 0x8000_8000);
    }

    public void start(RingDriver ring, int base) throws IOException {
        int index = ring.index();
        frontEnd.setVringNum(index, ring.size());
        frontEnd.setVringBase(index, base);
        frontEnd.setVringAddr(ring.addresses(false));
        frontEnd.setVringCall(index, ring.callFd());
        frontEnd.setVringKick(index, ring.kickFd());
        frontEnd.setVringEnable(index, true);
    }

    /** Places all pages, in any order, and ends post-copy. Fails if a page was touched too early. */
    public void arrive() throws IOException {
        LateMemory late = memory();
        late.stop();
        late.giveAll();
        assertThat(late.failure()).isNull();
        assertThat(late.end(frontEnd)).isZero();
        assertThat(late.spoiledPages())
                .as("pages that were touched before they came")
                .isEmpty();
    }

    @Override
    public void close() {
        frontEnd.close();
        rings.forEach(RingDriver::close);
        if (memory != null) {
            memory.close();
        }
        ram.close();
    }
}
