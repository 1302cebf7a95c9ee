package org.exomem.conform.trial;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.RequestRefusedException;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;
import org.exomem.linux.Fd;
import org.jspecify.annotations.Nullable;

/**
 * A device that is set up for one check: features negotiated, memory shared, and rings if there is a sample request.
 * For one thread.
 */
public final class Session {
    private final AttachedDevice device;
    private final GuestRam ram;
    private final Limits limits;
    private final Sample.@Nullable Request request;
    private final @Nullable RingDriver ring;

    Session(AttachedDevice device, GuestRam ram, Limits limits, @Nullable Sample sample, int ringSize)
            throws IOException {
        this.device = device;
        this.ram = ram;
        this.limits = limits;
        if (sample == null) {
            this.request = null;
            this.ring = null;
            return;
        }
        for (int queue = 0; queue < sample.queues(); queue++) {
            device.addRing(queue, ringSize);
        }
        this.request = sample.place(device);
        this.ring = device.rings().get(sample.queue());
    }

    public FrontEnd frontEnd() {
        return device.frontEnd();
    }

    /** The connection itself. */
    public Connection connection() {
        return frontEnd().connection();
    }

    public Limits limits() {
        return limits;
    }

    public AttachedDevice device() {
        return device;
    }

    public GuestRam ram() {
        return ram;
    }

    /** True if all of these virtio features were negotiated. */
    public boolean has(long features) {
        return (device.features() & features) == features;
    }

    /** True if all of these protocol features were negotiated. */
    public boolean hasProtocol(long features) {
        return (frontEnd().protocolFeatures() & features) == features;
    }

    /**
     * The ring that serves the sample request.
     *
     * @throws Skipped if there is no sample request for the device
     */
    public RingDriver ring() {
        if (ring == null) {
            throw new Skipped("the runner knows no request that this device serves");
        }
        return ring;
    }

    /** The sample request, which {@link #ring} serves. */
    public Sample.Request request() {
        ring();
        if (request == null) {
            throw new IllegalStateException();
        }
        return request;
    }

    /** Starts and enables all rings, and sets DRIVER_OK. */
    public Session start() throws IOException {
        ring();
        device.start();
        return this;
    }

    /** Stops all rings. Returns their positions, in the order of {@link AttachedDevice#rings}. */
    public List<Integer> stop() throws IOException {
        return device.stop();
    }

    /** Starts and enables all rings at the positions that {@link #stop} returned. */
    public void goOn(List<Integer> bases) throws IOException {
        for (int i = 0; i < bases.size(); i++) {
            device.start(device.rings().get(i), bases.get(i), false);
        }
    }

    /** Sends one sample request, and checks its answer. */
    public Used serve() throws IOException {
        Used used = ring().transfer(request().prepare(), limits.answer());
        verify(used);
        return used;
    }

    /** Checks the answer to the sample request. */
    public void verify(Used used) {
        if (used.written() < request().leastWritten()) {
            throw new Unmet("the used length of the request is " + used.written() + ", but its answer has at least "
                    + request().leastWritten() + " bytes");
        }
        request().verify(ram, used);
    }

    /** The sample request with each buffer split into at most {@code pieces} contiguous buffers. */
    public List<Buffer> prepareInPieces(int pieces) {
        List<Buffer> cut = new ArrayList<>();
        for (Buffer buffer : request().prepare()) {
            long piece = Math.max(1, (buffer.length() + pieces - 1) / pieces);
            for (long at = 0; at < buffer.length(); at += piece) {
                cut.add(new Buffer(buffer.address() + at, Math.min(piece, buffer.length() - at), buffer.writable()));
            }
        }
        return cut;
    }

    /** Waits until the back-end has taken all messages that were sent: waits for its answer to a later GET_FEATURES. */
    public void settle() throws IOException {
        frontEnd().getFeatures();
    }

    /**
     * Sends a request that the back-end may or must refuse. Asks for a reply if REPLY_ACK is negotiated. Without it, a
     * following GET_FEATURES shows whether the connection is still open.
     *
     * @param fds remain the caller's
     */
    public Outcome attempt(int request, byte[] payload, List<Fd> fds) throws IOException {
        return attempt(frontEnd(), request, payload, fds);
    }

    static Outcome attempt(FrontEnd frontEnd, int request, byte[] payload, List<Fd> fds) throws IOException {
        try {
            frontEnd.command(request, payload, fds);
            frontEnd.getFeatures();
            return new Outcome.Accepted();
        } catch (RequestRefusedException e) {
            return new Outcome.RefusedBy(String.valueOf(e.getMessage()));
        } catch (IOException e) {
            if (Closing.is(e)) {
                return new Outcome.ClosedConnection();
            }
            throw e;
        }
    }
}
