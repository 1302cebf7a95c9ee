package org.exomem.conform.strict;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import org.exomem.conform.strict.scene.Offer;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.linux.Fd;
import org.jspecify.annotations.Nullable;

/** A front-end and a guest with one fault. */
final class Peer implements AutoCloseable {
    static final int RING = 16;
    private static final long MEMORY = 48 << 20;
    private static final long NOT_A_DRIVERS = Features.LOG_ALL | Features.SR_IOV | Offer.UNDEFINED | Features.SUSPEND;

    private final Path socket;
    private final Offer offer;
    final BooleanSupplier noticed;
    final GuestRam ram = GuestRam.ofSize(MEMORY);
    private @Nullable FrontEnd frontEnd;
    private @Nullable AttachedDevice attached;

    /** @param noticed returns whether the device has noticed the fault */
    Peer(Path socket, Offer offer, BooleanSupplier noticed) throws IOException {
        this.socket = socket;
        this.offer = offer;
        this.noticed = noticed;
    }

    /** A new connection without any message. */
    FrontEnd connect() throws IOException {
        FrontEnd connected = FrontEnd.connect(socket);
        frontEnd = connected;
        return connected;
    }

    /** Sends a message on the present connection, or on a new one. */
    void send(int request, byte[] payload, Fd... fds) throws IOException {
        send(request, Connection.VERSION, payload, fds);
    }

    void send(int request, int flags, byte[] payload, Fd... fds) throws IOException {
        FrontEnd connected = frontEnd == null ? connect() : frontEnd;
        connected.send(request, flags, payload, List.of(fds));
    }

    /** Acknowledges protocol features, even if they are not offered. Without REPLY_ACK nothing must be answered. */
    void protocol(long features) throws IOException {
        send(Request.SET_FEATURES, Payload.number(Features.PROTOCOL_FEATURES | Features.VERSION_1));
        send(Request.SET_PROTOCOL_FEATURES, Payload.number(features));
    }

    /** Shares all of the memory as one region. */
    void memory() throws IOException {
        send(Request.SET_MEM_TABLE, Payload.regions(ram.regions()), ram.file().fd());
    }

    /** Negotiates, and shares the memory. */
    AttachedDevice attach(long features, long protocol) throws IOException {
        AttachedDevice device = AttachedDevice.attach(FrontEnd.connect(socket), ram, features, protocol);
        attached = device;
        frontEnd = device.frontEnd();
        return device;
    }

    /** The same with all offered features, except for those that a driver must not accept. */
    AttachedDevice attach(long protocol) throws IOException {
        return attach(offer.features() & ~NOT_A_DRIVERS, protocol);
    }

    /** Negotiates and starts rings of 16 entries, each kicked once. */
    AttachedDevice run(long without, long protocol) throws IOException {
        AttachedDevice device = attach(offer.features() & ~NOT_A_DRIVERS & ~without, protocol);
        for (int i = 0; i < (offer.device() == DeviceType.MEM ? 1 : 5); i++) {
            device.addRing(i, RING);
        }
        device.start();
        RightDriver.kickAll(device);
        return device;
    }

    RingDriver ring(int index) {
        return attached().rings().get(index);
    }

    AttachedDevice attached() {
        return Objects.requireNonNull(attached);
    }

    FrontEnd frontEnd() {
        return Objects.requireNonNull(frontEnd);
    }

    /** Writes a descriptor of a split ring or a split table. */
    void split(long table, int place, long address, long length, int flags, int next) {
        long at = table + 16L * place;
        ram.putLong(at, address);
        ram.putInt(at + 8, (int) length);
        ram.putShort(at + 12, flags);
        ram.putShort(at + 14, next);
    }

    /** Writes a descriptor of a packed ring or a packed table. */
    void packed(long table, int place, long address, long length, int id, int flags) {
        long at = table + 16L * place;
        ram.putLong(at, address);
        ram.putInt(at + 8, (int) length);
        ram.putShort(at + 12, id);
        ram.putShort(at + 14, flags);
    }

    /** Makes the first entry of a split ring available, and kicks. */
    void available(RingDriver ring) {
        ram.putShort(ring.driverArea() + 4, 0);
        ram.putShort(ring.driverArea() + 2, 1);
        ring.kickFd().signal();
    }

    @Override
    public void close() {
        if (attached != null) {
            attached.close();
        }
        if (frontEnd != null) {
            frontEnd.close();
        }
        ram.close();
    }
}
