package org.exomem.conformance;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;

/** A guest with an echo device: its memory, its front-end, and its running rings. */
final class EchoGuest implements AutoCloseable {
    static final long SPLIT = Features.PROTOCOL_FEATURES | Features.VERSION_1 | Features.INDIRECT_DESC;
    static final long PACKED = SPLIT | Features.RING_PACKED;
    static final long EVERY_PROTOCOL_FEATURE = Protocol.MQ
            | Protocol.LOG_SHMFD
            | Protocol.REPLY_ACK
            | Protocol.BACKEND_REQ
            | Protocol.CONFIG
            | Protocol.INFLIGHT_SHMFD
            | Protocol.RESET_DEVICE
            | Protocol.CONFIGURE_MEM_SLOTS
            | Protocol.STATUS;
    static final int RING_SIZE = 64;
    private static final int BUFFER = 4096;

    final GuestRam ram;
    final AttachedDevice device;
    final RingDriver ring;
    final RingDriver holding;
    private final long request;
    private final long response;
    private int messages;

    private EchoGuest(GuestRam ram, AttachedDevice device) throws Exception {
        this.ram = ram;
        this.device = device;
        this.ring = device.addRing(0, RING_SIZE);
        this.holding = device.addRing(EchoDevice.HOLDING, RING_SIZE);
        this.request = ram.allocate(BUFFER, BUFFER);
        this.response = ram.allocate(BUFFER, BUFFER);
    }

    /** A guest whose rings are set up and not started. */
    static EchoGuest attach(FrontEnd frontEnd, long features, long protocolFeatures) throws Exception {
        GuestRam ram = GuestRam.ofSize(4 << 20);
        try {
            return new EchoGuest(ram, AttachedDevice.attach(frontEnd, ram, features, protocolFeatures));
        } catch (Exception e) {
            ram.close();
            throw e;
        }
    }

    /** A guest whose rings run. */
    static EchoGuest start(FrontEnd frontEnd, long features, long protocolFeatures) throws Exception {
        EchoGuest guest = attach(frontEnd, features, protocolFeatures);
        try {
            guest.device.start();
            return guest;
        } catch (Exception e) {
            guest.close();
            throw e;
        }
    }

    static EchoGuest start(EchoBackEnd backEnd) throws Exception {
        return start(backEnd.connect(), SPLIT, EVERY_PROTOCOL_FEATURE);
    }

    FrontEnd frontEnd() {
        return device.frontEnd();
    }

    /** Sends a new message over queue 0 each time, and checks its echo. */
    void assertEcho() throws Exception {
        byte[] text = ("message " + ++messages).getBytes(StandardCharsets.UTF_8);
        Used used = ring.transfer(prepare(text), FrontEnd.LIMIT);
        assertThat(used.written()).isEqualTo(text.length);
        assertThat(response(text.length)).isEqualTo(text);
    }

    /** Puts a message into guest memory. Returns the chain that requests its echo. */
    List<Buffer> prepare(byte[] text) {
        for (int i = 0; i < text.length; i++) {
            ram.bytes(request + i, 1).set(JAVA_BYTE, 0, text[i]);
        }
        ram.bytes(response, text.length).fill((byte) 0);
        return List.of(Buffer.readable(request, text.length), Buffer.writable(response, text.length));
    }

    byte[] response(int length) {
        return ram.bytes(response, length).toArray(JAVA_BYTE);
    }

    long responseAddress() {
        return response;
    }

    @Override
    public void close() {
        device.close();
        ram.close();
    }
}
