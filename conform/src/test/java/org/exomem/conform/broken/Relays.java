package org.exomem.conform.broken;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.jspecify.annotations.Nullable;

/** All rings and the log of one connection behind a saboteur, which changes the messages that set them up. */
final class Relays implements AutoCloseable {
    private static final int MOST_RINGS = 16;
    /**
     * The address of the shadows for the back-end, by guest and by user address: far from all addresses of front-ends.
     */
    private static final long SHADOWS = 1L << 40;

    private static final Set<Integer> MEMORY = Set.of(Request.SET_MEM_TABLE, Request.ADD_MEM_REG, Request.REM_MEM_REG);

    private static final int MOST_REGIONS = 8;
    private static final int NO_FD = 1 << 8;
    private static final int RING_MASK = 0xff;
    private static final int LARGEST_RING = 1 << 15;

    private final Line line;
    private final Tampering tampering;
    private final GuestView memory = new GuestView();
    private final SharedFile file;
    private final Mapping shadows;
    private final Map<Integer, Setup> setups = new TreeMap<>();
    private final List<LogRelay> oldLogs = new ArrayList<>();
    private @Nullable LogRelay log;
    private @Nullable LogRelay logBefore;
    private List<GuestView.Shared> memoryBefore = List.of();
    private long features;
    private long protocolFeatures;
    private boolean protocolSet;
    private boolean shown;
    private boolean listening;

    /** The settings of a ring. */
    private static final class Setup {
        int size;
        int base;
        long[] addresses = new long[3];
        boolean isRelayed;

        @Nullable
        RingRelay ring;
    }

    Relays(Line line, Tampering tampering) throws LinuxException {
        this.line = line;
        this.tampering = tampering;
        this.file = SharedFile.memfd("shadows", MOST_RINGS * RingRelay.SHADOW_SIZE);
        this.shadows = Mapping.of(file, 0, MOST_RINGS * RingRelay.SHADOW_SIZE);
    }

    GuestView memory() {
        return memory;
    }

    List<RingRelay> rings() {
        List<RingRelay> rings = new ArrayList<>();
        for (Setup setup : setups.values()) {
            if (setup.ring != null) {
                rings.add(setup.ring);
            }
        }
        return rings;
    }

    /**
     * A request on its way to the back-end: returns it as the back-end gets it, with the further messages that it
     * needs.
     */
    List<Message> request(Message message) throws LinuxException {
        switch (message.request()) {
            case Request.POSTCOPY_LISTEN -> listening = true;
            case Request.POSTCOPY_END -> listening = false;
            default -> {}
        }
        if (listening && MEMORY.contains(message.request())) {
            // Pages that have not arrived can't be read here, and the answer has all regions: no ring is relayed.
            return List.of(message);
        }
        return switch (message.request()) {
            case Request.SET_FEATURES -> {
                features = message.longAt(0);
                yield List.of(message);
            }
            case Request.SET_PROTOCOL_FEATURES -> {
                protocolFeatures = message.longAt(0);
                protocolSet = true;
                yield List.of(message.withLong(0, protocolFeatures | Protocol.CONFIGURE_MEM_SLOTS));
            }
            case Request.SET_MEM_TABLE -> setMemory(message);
            case Request.ADD_MEM_REG -> addMemory(message);
            case Request.REM_MEM_REG -> {
                memoryBefore = memory.regions();
                memory.remove(message);
                resolveAll();
                yield List.of(message);
            }
            case Request.SET_VRING_NUM -> {
                if (hasRing(message.intAt(0))) {
                    setup(message.intAt(0)).size = message.intAt(4);
                }
                yield List.of(message);
            }
            case Request.SET_VRING_BASE -> {
                if (hasRing(message.intAt(0))) {
                    setup(message.intAt(0)).base = message.intAt(4);
                }
                yield List.of(message);
            }
            case Request.SET_VRING_ADDR -> List.of(setAddresses(message));
            case Request.SET_VRING_KICK -> kick(message);
            case Request.SET_VRING_CALL -> List.of(call(message));
            case Request.SET_LOG_BASE -> List.of(setLog(message));
            case Request.RESET_DEVICE -> {
                stopAll();
                yield List.of(message);
            }
            case Request.SET_STATUS -> {
                if (message.hasLong(0) && message.longAt(0) == 0) {
                    stopAll();
                }
                yield List.of(message);
            }
            default -> List.of(message);
        };
    }

    /** A reply on its way to the front-end. */
    Message reply(Message message) {
        if (listening && MEMORY.contains(message.request())) {
            return message;
        }
        switch (message.request()) {
            case Request.SET_MEM_TABLE, Request.ADD_MEM_REG, Request.REM_MEM_REG -> {
                if (message.longAt(0) != 0) {
                    memory.restore(memoryBefore);
                    resolveAll();
                }
                memory.forgetOthers();
            }
            case Request.SET_LOG_BASE -> {
                if (message.longAt(0) != 0) {
                    log = logBefore;
                }
            }
            case Request.GET_VRING_BASE -> {
                Setup setup = setups.get(message.intAt(0));
                if (setup != null && setup.ring != null) {
                    setup.ring.stop();
                }
            }
            case Request.GET_MAX_MEM_SLOTS -> {
                // The shadows occupy one slot.
                return message.withLong(0, message.longAt(0) - 1);
            }
            default -> {
                // The message is not about rings.
            }
        }
        return message;
    }

    /** Passes on the changes of all rings. */
    void pump() {
        for (Setup setup : setups.values()) {
            if (setup.ring != null) {
                setup.ring.pump(this::pumpLog);
            }
        }
        pumpLog();
    }

    private void pumpLog() {
        if (log != null) {
            log.pump(tampering);
        }
    }

    private boolean hasRing(int index) {
        return index >= 0 && index < MOST_RINGS;
    }

    private Setup setup(int index) {
        return setups.computeIfAbsent(index, unused -> new Setup());
    }

    /** Creates the ring in the negotiated format. */
    private RingRelay ring(int index, Setup setup) {
        boolean packed = (features & Features.RING_PACKED) != 0;
        RingRelay ring = setup.ring;
        if (ring == null || ring instanceof PackedRelay != packed && !ring.isRunning()) {
            MemorySegment shadow = shadows.segment().asSlice(index * RingRelay.SHADOW_SIZE, RingRelay.SHADOW_SIZE);
            RingRelay fresh = packed
                    ? new PackedRelay(index, shadow, line, tampering)
                    : new SplitRelay(index, shadow, line, tampering);
            if (ring != null) {
                fresh.takeOver(ring);
            }
            setup.ring = fresh;
            return fresh;
        }
        return ring;
    }

    private List<Message> setMemory(Message message) throws LinuxException {
        memoryBefore = memory.regions();
        memory.set(message);
        resolveAll();
        int count = message.intAt(0);
        boolean wellFormed = count > 0
                && count <= MOST_REGIONS
                && message.fds().size() == count
                && message.payload().length == 8 + count * Payload.REGION_SIZE;
        if (!wellFormed) {
            return List.of(message);
        }
        if (count == MOST_REGIONS) {
            shown = protocolSet;
            return protocolSet ? List.of(message, showShadows()) : List.of(message);
        }
        byte[] payload = Arrays.copyOf(message.payload(), message.payload().length + Payload.REGION_SIZE);
        System.arraycopy(Payload.regions(List.of(region())), 8, payload, message.payload().length, Payload.REGION_SIZE);
        List<Fd> fds = new ArrayList<>(message.fds());
        fds.add(file.fd().duplicate());
        shown = true;
        return List.of(message.withPayload(payload).withInt(0, count + 1).withFds(fds));
    }

    private List<Message> addMemory(Message message) throws LinuxException {
        memoryBefore = memory.regions();
        memory.add(message);
        resolveAll();
        return withShadows(message);
    }

    /** Shares the shadows with the back-end before a message, if it does not have them. */
    private List<Message> withShadows(Message message) throws LinuxException {
        if (shown || !protocolSet) {
            return List.of(message);
        }
        shown = true;
        return List.of(showShadows(), message);
    }

    private Message showShadows() throws LinuxException {
        return Message.request(
                Request.ADD_MEM_REG, Payload.region(region()), List.of(file.fd().duplicate()));
    }

    private static Region region() {
        return new Region(SHADOWS, MOST_RINGS * RingRelay.SHADOW_SIZE, SHADOWS, 0);
    }

    private Message setAddresses(Message message) {
        int index = message.intAt(0);
        if (!hasRing(index) || message.payload().length != 40 || !shown) {
            return message;
        }
        Setup setup = setup(index);
        long[] before = setup.addresses;
        setup.addresses = new long[] {message.longAt(8), message.longAt(24), message.longAt(16)};
        RingRelay ring = ring(index, setup);
        resolve(ring, setup);
        boolean packed = ring.isPacked();
        boolean aligned = setup.addresses[0] % 16 == 0
                && setup.addresses[1] % (packed ? 4 : 2) == 0
                && setup.addresses[2] % 4 == 0;
        if (!ring.isResolved() || !aligned) {
            if (ring.isRunning()) {
                // The back-end refuses to move the ring there.
                setup.addresses = before;
                resolve(ring, setup);
            } else {
                setup.isRelayed = false;
                ring.resolve(0, features, new long[3]);
            }
            return message;
        }
        setup.isRelayed = true;
        long shadow = SHADOWS + index * RingRelay.SHADOW_SIZE;
        return message.withLong(8, shadow)
                .withLong(24, shadow + RingRelay.DRIVER_AREA)
                .withLong(16, shadow + RingRelay.DEVICE_AREA);
    }

    private void resolve(RingRelay ring, Setup setup) {
        int size = setup.size > 0 && setup.size <= LARGEST_RING ? setup.size : 1;
        ring.resolve(ring.isRunning() ? ring.size() : size, features, setup.addresses);
    }

    private void resolveAll() {
        for (Setup setup : setups.values()) {
            if (setup.ring != null && setup.isRelayed) {
                resolve(setup.ring, setup);
            }
        }
    }

    private List<Message> kick(Message message) throws LinuxException {
        int index = (int) message.longAt(0) & RING_MASK;
        if (!hasRing(index)) {
            return List.of(message);
        }
        Setup setup = setup(index);
        RingRelay ring = ring(index, setup);
        List<Message> all = new ArrayList<>();
        if (setup.isRelayed && !ring.isRunning()) {
            resolve(ring, setup);
            if (ring instanceof PackedRelay packed) {
                packed.setBase(setup.base);
            }
            if (ring.isResolved()) {
                tampering.starting(ring);
                ring.start();
            } else {
                // The back-end finds the error itself.
                all.add(Message.request(
                        Request.SET_VRING_ADDR,
                        Payload.ringAddresses(new RingAddresses(
                                index, 0, setup.addresses[0], setup.addresses[2], setup.addresses[1], 0))));
                setup.isRelayed = false;
            }
        }
        if ((message.longAt(0) & NO_FD) != 0) {
            ring.dropKick();
        }
        all.add(
                message.fds().size() == 1
                        ? message.withFds(
                                List.of(ring.interposeKick(message.fds().getFirst())))
                        : message);
        return all;
    }

    private Message call(Message message) throws LinuxException {
        int index = (int) message.longAt(0) & RING_MASK;
        if (!hasRing(index)) {
            return message;
        }
        RingRelay ring = ring(index, setup(index));
        if ((message.longAt(0) & NO_FD) != 0) {
            ring.dropCall();
        }
        return message.fds().size() == 1
                ? message.withFds(List.of(ring.interposeCall(message.fds().getFirst())))
                : message;
    }

    private Message setLog(Message message) {
        logBefore = log;
        if (message.fds().size() != 1 || message.payload().length != 16) {
            return message;
        }
        Fd fd = message.fds().getFirst();
        try {
            LogRelay fresh = LogRelay.of(fd, message.longAt(0), message.longAt(8));
            pumpLog();
            oldLogs.add(fresh);
            log = fresh;
            Message changed = message.withFds(List.of(fresh.fd()));
            fd.close();
            return changed;
        } catch (LinuxException e) {
            // A region that can't be mapped is refused by the back-end, too.
            return message;
        }
    }

    private void stopAll() {
        rings().forEach(RingRelay::stop);
    }

    /** Adds the descriptors to wait on. */
    void watch(List<Fd> into) {
        rings().forEach(ring -> ring.watch(into));
    }

    @Override
    public void close() {
        rings().forEach(RingRelay::close);
        oldLogs.forEach(LogRelay::close);
        memory.close();
        shadows.close();
        file.close();
    }
}
