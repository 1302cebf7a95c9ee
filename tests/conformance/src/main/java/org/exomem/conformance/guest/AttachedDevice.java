package org.exomem.conformance.guest;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.conformance.frontend.BackEndChannel;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Region;
import org.exomem.linux.Fd;
import org.jspecify.annotations.Nullable;

/**
 * A device that is set up over a front-end as a VMM does it: features, memory, rings; and shut down again. Owns the
 * front-end and the rings, not the memory.
 */
public final class AttachedDevice implements AutoCloseable {
    private static final int ACKNOWLEDGE = 1;
    private static final int DRIVER = 2;
    private static final int DRIVER_OK = 4;
    private static final int FEATURES_OK = 8;

    private final FrontEnd frontEnd;
    private final GuestRam ram;
    private final List<RingDriver> rings = new ArrayList<>();
    private final long features;
    private RingTraffic ringTraffic = RingTraffic.UNWATCHED;
    private final @Nullable BackEndChannel channel;

    private AttachedDevice(FrontEnd frontEnd, GuestRam ram, long features, @Nullable BackEndChannel channel) {
        this.frontEnd = frontEnd;
        this.ram = ram;
        this.features = features;
        this.channel = channel;
    }

    /**
     * Negotiates features, and shares the memory. If that fails, closes everything that was opened, and the front-end.
     *
     * @param features the virtio features that are acknowledged if the back-end offers them
     * @param protocolFeatures the protocol features that are acknowledged if the back-end offers them
     */
    public static AttachedDevice attach(FrontEnd frontEnd, GuestRam ram, long features, long protocolFeatures)
            throws IOException {
        BackEndChannel channel = null;
        try {
            long offered = frontEnd.getFeatures();
            if ((offered & Features.PROTOCOL_FEATURES) != 0) {
                frontEnd.setProtocolFeatures(frontEnd.getProtocolFeatures() & protocolFeatures);
            }
            frontEnd.setOwner();
            boolean channelWanted = (frontEnd.protocolFeatures() & Protocol.BACKEND_REQ) != 0;
            channel = channelWanted ? frontEnd.openBackEndChannel() : null;
            long acknowledged = offered & features;
            frontEnd.setFeatures(acknowledged);
            AttachedDevice device = new AttachedDevice(frontEnd, ram, acknowledged, channel);
            device.setStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK);
            device.shareMemory();
            return device;
        } catch (IOException | RuntimeException e) {
            frontEnd.close();
            if (channel != null) {
                channel.close();
            }
            throw e;
        }
    }

    private void shareMemory() throws IOException {
        List<Region> regions = wireRegions();
        Fd file = ram.file().fd();
        if (has(Protocol.CONFIGURE_MEM_SLOTS)) {
            for (Region region : regions) {
                frontEnd.addMemoryRegion(region, file);
            }
        } else {
            frontEnd.setMemTable(regions, regions.stream().map(region -> file).toList());
        }
    }

    /** The regions as sent to the back-end. */
    public List<Region> wireRegions() {
        return has(Protocol.GPA_ADDRESSES)
                ? ram.regions().stream().map(Region::withGuestAddresses).toList()
                : ram.regions();
    }

    private boolean has(long protocolFeature) {
        return (frontEnd.protocolFeatures() & protocolFeature) != 0;
    }

    /** Sets an observer for the rings that are added from now on. */
    public void watch(RingTraffic traffic) {
        ringTraffic = traffic;
    }

    /**
     * Adds a ring, which {@link #start} starts.
     *
     * @param index may leave gaps: a device's queue numbers need not be contiguous
     */
    public RingDriver addRing(int index, int size) throws IOException {
        RingDriver ring = RingDriver.of(ram, index, size, features);
        ring.watch(ringTraffic);
        rings.add(ring);
        return ring;
    }

    /** The added rings, in the order in which they were added. */
    public List<RingDriver> rings() {
        return List.copyOf(rings);
    }

    /** Starts and enables every ring at its present position, and reports to the device that the driver is ready. */
    public void start() throws IOException {
        for (RingDriver ring : rings) {
            start(ring, ring.base(), false);
        }
        setStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    }

    /**
     * Starts and enables one ring.
     *
     * @param base the position at which the device begins
     * @param logged whether writes of the used part go to the dirty log
     */
    public void start(RingDriver ring, int base, boolean logged) throws IOException {
        int index = ring.index();
        frontEnd.setVringNum(index, ring.size());
        frontEnd.setVringBase(index, base);
        frontEnd.setVringAddr(has(Protocol.GPA_ADDRESSES) ? ring.guestAddresses(logged) : ring.addresses(logged));
        frontEnd.setVringCall(index, ring.callFd());
        frontEnd.setVringKick(index, ring.kickFd());
        if ((features & Features.PROTOCOL_FEATURES) != 0) {
            frontEnd.setVringEnable(index, true);
        }
    }

    /** Stops every ring, as a VMM does when the guest resets the device. Returns their positions. */
    public List<Integer> stop() throws IOException {
        List<Integer> bases = new ArrayList<>();
        for (RingDriver ring : rings) {
            bases.add(frontEnd.getVringBase(ring.index()));
        }
        return bases;
    }

    private void setStatus(int status) throws IOException {
        if (has(Protocol.STATUS)) {
            frontEnd.setStatus(status);
        }
    }

    public FrontEnd frontEnd() {
        return frontEnd;
    }

    public GuestRam ram() {
        return ram;
    }

    /** The virtio features that were acknowledged. */
    public long features() {
        return features;
    }

    /** The back-end's own channel, if BACKEND_REQ was negotiated. */
    public BackEndChannel channel() {
        if (channel == null) {
            throw new IllegalStateException("BACKEND_REQ was not negotiated");
        }
        return channel;
    }

    /** Closes the connection without stopping the rings, like a VMM that dies. */
    @Override
    public void close() {
        frontEnd.close();
        if (channel != null) {
            channel.close();
        }
        rings.forEach(RingDriver::close);
    }
}
