package org.exomem.conform.broken;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.UnixSockets;
import org.jspecify.annotations.Nullable;

/** One connection of a front-end, passed on to the back-end, with one tampering. For one thread. */
final class Conversation implements Line, AutoCloseable {
    private final Wire front;
    private final Wire back;
    private final Tampering tampering;
    private final @Nullable Relays relays;
    private final GuestView noMemory = new GuestView();
    private @Nullable Wire channelFront;
    private @Nullable Wire channelBack;
    private long features;
    private long protocolFeatures;
    private boolean ended;
    private boolean endedByBackEnd;
    private final Runnable death;

    /**
     * Takes both sockets over.
     *
     * @param death runs when the back-end dies
     */
    Conversation(Fd frontEnd, Fd backEnd, Tampering tampering, Runnable death) throws LinuxException {
        this.front = new Wire(frontEnd);
        this.back = new Wire(backEnd);
        this.tampering = tampering;
        this.death = death;
        this.relays = tampering.relaysRings() ? new Relays(this, tampering) : null;
    }

    /** Passes on everything that has arrived. Returns false at the end of the connection. */
    boolean step() {
        try {
            pump();
            tampering.tick(this);
            channelFromBack();
            channelFromFront();
            fromBack();
            fromFront();
            pump();
        } catch (LinuxException e) {
            // One of both sides has closed the connection.
            ended = true;
        }
        return !ended;
    }

    private void pump() {
        if (relays != null) {
            relays.pump();
        }
    }

    private void fromFront() throws LinuxException {
        Wire.Part part;
        while (!ended && (part = front.next()) != null) {
            switch (part) {
                case Wire.Whole(Message message, boolean inPieces) -> {
                    if (inPieces) {
                        tampering.piece(this);
                    }
                    request(message);
                }
                case Wire.Piece(byte[] bytes, List<Fd> fds) -> {
                    tampering.piece(this);
                    back.send(bytes, fds);
                }
                case Wire.End() -> ended = true;
            }
        }
    }

    private void request(Message message) throws LinuxException {
        if (message.request() == Request.SET_FEATURES && message.hasLong(0)) {
            features = message.longAt(0);
        }
        if (message.request() == Request.SET_PROTOCOL_FEATURES && message.hasLong(0)) {
            protocolFeatures = message.longAt(0);
        }
        pump();
        for (Message changed : tampering.request(message, this)) {
            toBackEnd(changed);
        }
    }

    private void fromBack() throws LinuxException {
        Wire.Part part;
        while (!ended && (part = nextFromBack()) != null) {
            switch (part) {
                case Wire.Whole(Message message, boolean unused) -> reply(message);
                case Wire.Piece(byte[] bytes, List<Fd> fds) -> front.send(bytes, fds);
                case Wire.End() -> {
                    endedByBackEnd = true;
                    ended = true;
                }
            }
        }
    }

    private Wire.@Nullable Part nextFromBack() throws LinuxException {
        try {
            return back.next();
        } catch (LinuxException e) {
            endedByBackEnd = true;
            throw e;
        }
    }

    private void sendBack(Message message) throws LinuxException {
        try {
            back.send(message);
        } catch (LinuxException e) {
            endedByBackEnd = true;
            throw e;
        }
    }

    private void reply(Message message) throws LinuxException {
        // What the back-end did before its answer must be visible before the answer.
        pump();
        channelFromBack();
        Message relayed = relays == null ? message : relays.reply(message);
        for (Message changed : tampering.reply(relayed, this)) {
            toFrontEnd(changed);
        }
    }

    private void channelFromBack() throws LinuxException {
        Wire.Part part;
        while (channelBack != null && channelFront != null && (part = channelBack.next()) != null) {
            switch (part) {
                case Wire.Whole(Message message, boolean unused) -> {
                    for (Message changed : tampering.channelRequest(message, this)) {
                        channelFront.send(changed);
                    }
                }
                case Wire.Piece(byte[] bytes, List<Fd> fds) -> channelFront.send(bytes, fds);
                case Wire.End() -> closeChannel();
            }
        }
    }

    private void channelFromFront() {
        try {
            Wire.Part part;
            while (channelBack != null && channelFront != null && (part = channelFront.next()) != null) {
                switch (part) {
                    case Wire.Whole(Message message, boolean unused) -> channelBack.send(message);
                    case Wire.Piece(byte[] bytes, List<Fd> fds) -> channelBack.send(bytes, fds);
                    case Wire.End() -> closeChannel();
                }
            }
        } catch (LinuxException e) {
            closeChannel();
        }
    }

    @Override
    public void toFrontEnd(Message message) throws LinuxException {
        front.send(message);
    }

    @Override
    public void toBackEnd(Message message) throws LinuxException {
        Message own = interposeChannel(message);
        List<Message> all = relays == null ? List.of(own) : relays.request(own);
        for (Message each : all) {
            sendBack(each);
        }
    }

    private Message interposeChannel(Message message) throws LinuxException {
        if (message.request() != Request.SET_BACKEND_REQ_FD || message.fds().size() != 1) {
            return message;
        }
        Fd theirs = message.fds().getFirst();
        if (!theirs.description().startsWith("socket:")) {
            return message;
        }
        closeChannel();
        List<Fd> pair = UnixSockets.pair();
        channelFront = new Wire(theirs);
        channelBack = new Wire(pair.get(0));
        return message.withFds(List.of(pair.get(1)));
    }

    private void closeChannel() {
        if (channelFront != null) {
            channelFront.close();
            channelFront = null;
        }
        if (channelBack != null) {
            channelBack.close();
            channelBack = null;
        }
    }

    @Override
    public void acknowledge(Message request) {
        if (request.needsReply() && (protocolFeatures & Protocol.REPLY_ACK) != 0) {
            try {
                front.send(Message.reply(request.request(), Payload.number(0)));
            } catch (IOException e) {
                ended = true;
            }
        }
        request.close();
    }

    @Override
    public void overChannel(Message message) {
        if (channelFront == null) {
            return;
        }
        try {
            channelFront.send(message);
        } catch (LinuxException e) {
            closeChannel();
        }
    }

    @Override
    public long features() {
        return features;
    }

    @Override
    public long protocolFeatures() {
        return protocolFeatures;
    }

    @Override
    public GuestView memory() {
        return relays == null ? noMemory : relays.memory();
    }

    @Override
    public List<RingRelay> rings() {
        return relays == null ? List.of() : relays.rings();
    }

    /** The descriptors to wait on. */
    List<Fd> watched() {
        List<Fd> all = new ArrayList<>(List.of(front.fd(), back.fd()));
        if (channelFront != null && channelBack != null) {
            all.add(channelFront.fd());
            all.add(channelBack.fd());
        }
        if (relays != null) {
            relays.watch(all);
        }
        return all;
    }

    /** True if something may happen without an event on a descriptor. */
    boolean needsTicks() {
        return relays != null || tampering != Tampering.NONE || front.isWaiting() || back.isWaiting();
    }

    @Override
    public void die() {
        death.run();
    }

    /** Another front-end has connected. */
    void secondConnection() {
        tampering.secondConnection(this);
    }

    @Override
    public void end() {
        ended = true;
    }

    @Override
    public void close() {
        ended = true;
        tampering.ended(this, endedByBackEnd);
        front.close();
        back.close();
        closeChannel();
        if (relays != null) {
            relays.close();
        }
    }
}
