package org.exomem.conform.strict.scene;

import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.exomem.conform.strict.memory.GuestMemory;
import org.exomem.conform.strict.ring.Ring;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.guest.BalloonFeatures;

/**
 * What the device knows of the session: what was negotiated, set up and reported. Observers must not change it. For one
 * thread.
 */
public final class Scene implements AutoCloseable {
    public static final int ACKNOWLEDGE = 1;
    public static final int DRIVER = 2;
    public static final int DRIVER_OK = 4;
    public static final int FEATURES_OK = 8;
    public static final int SUSPEND = 16;
    public static final int NEEDS_RESET = 64;
    public static final int FAILED = 128;

    private static final int MOST_RINGS = 256;

    private final Offer offer;
    private final GuestMemory memory = new GuestMemory();
    private final Map<Integer, Ring> rings = new TreeMap<>();
    private final Map<Integer, Integer> requests = new HashMap<>();
    private final BalloonState balloon = new BalloonState();
    private final MemState mem;
    private final double patience;
    private OptionalLong features = OptionalLong.empty();
    private OptionalLong protocolFeatures = OptionalLong.empty();
    private int status;
    private boolean driverSeen;

    /**
     * @param mem the region of a memory device
     * @param patience factor for all times after which something counts as missing; usually 1
     */
    public Scene(Offer offer, MemState mem, double patience) {
        this.offer = offer;
        this.mem = mem;
        this.patience = patience;
    }

    /** The time to wait for something that should take no longer than the limit. */
    public Duration scaled(Duration limit) {
        return Duration.ofNanos((long) (limit.toNanos() * patience));
    }

    /** True if something that is awaited since {@code since} counts as missing at {@code now}; both as nanoTime. */
    public boolean isOver(long since, long now, Duration limit) {
        return now - since > scaled(limit).toNanos();
    }

    public Offer offer() {
        return offer;
    }

    public GuestMemory memory() {
        return memory;
    }

    /** The state of a balloon. */
    public BalloonState balloon() {
        return balloon;
    }

    /** The state of a memory device. */
    public MemState mem() {
        return mem;
    }

    /** The features in the last SET_FEATURES; empty before. */
    public OptionalLong features() {
        return features;
    }

    public void setFeatures(long mask) {
        features = OptionalLong.of(mask);
    }

    /** True if all of these virtio features were acknowledged. */
    public boolean has(long mask) {
        return (features.orElse(0) & mask) == mask;
    }

    /** The features in the last SET_PROTOCOL_FEATURES; empty before. */
    public OptionalLong protocolFeatures() {
        return protocolFeatures;
    }

    public void setProtocolFeatures(long mask) {
        protocolFeatures = OptionalLong.of(mask);
    }

    /** True if all of these protocol features were acknowledged. */
    public boolean hasProtocol(long mask) {
        return (protocolFeatures.orElse(0) & mask) == mask;
    }

    /** The present device status. */
    public int status() {
        return status;
    }

    public void setStatus(int bits) {
        status = bits;
        driverSeen |= (bits & (ACKNOWLEDGE | DRIVER)) != 0;
    }

    /** True if the front-end forwards the driver's writes of the status: it has sent ACKNOWLEDGE or DRIVER. */
    public boolean isDriverSeen() {
        return driverSeen;
    }

    /** How often a request has come before. */
    public int count(int request) {
        return requests.getOrDefault(request, 0);
    }

    public void note(int request) {
        requests.merge(request, 1, Integer::sum);
    }

    /** The ring with that index, 0 to 255; created if there is none. */
    public Ring ring(int index) {
        return rings.computeIfAbsent(Math.floorMod(index, MOST_RINGS), Ring::new);
    }

    /** The rings that were named so far, by their index. */
    public Collection<Ring> rings() {
        return rings.values();
    }

    /** True if a ring runs and is enabled, so that the device may serve it. */
    public boolean isActive(Ring ring) {
        return ring.queue().isPresent() && (ring.isEnabled() || !has(Features.PROTOCOL_FEATURES));
    }

    /** True if at least one ring runs, and all running rings are enabled. */
    public boolean isRunning() {
        return rings.values().stream().anyMatch(ring -> ring.queue().isPresent())
                && rings.values().stream()
                        .filter(ring -> ring.queue().isPresent())
                        .allMatch(this::isActive);
    }

    /**
     * The purpose of a queue under the acknowledged features. A queue that these features do not need has no number.
     */
    public Role role(Ring ring) {
        if (offer.device() == DeviceType.MEM) {
            return ring.index() == 0 ? Role.REQUESTS : Role.NONE;
        }
        int number = 0;
        for (Role role : Role.values()) {
            boolean there = switch (role) {
                case INFLATE, DEFLATE -> true;
                case STATISTICS -> has(BalloonFeatures.STATS_VQ);
                case FREE_PAGES -> has(BalloonFeatures.FREE_PAGE_HINT);
                case REPORTING -> has(BalloonFeatures.PAGE_REPORTING);
                case REQUESTS, NONE -> false;
            };
            if (there && number++ == ring.index()) {
                return role;
            }
        }
        return Role.NONE;
    }

    @Override
    public void close() {
        rings.values().forEach(Ring::close);
        memory.close();
    }
}
