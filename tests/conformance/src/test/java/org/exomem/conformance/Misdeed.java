package org.exomem.conformance;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.function.UnaryOperator;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.linux.Fd;

/** A forbidden action of a front-end with a running guest, with a name that describes it. */
record Misdeed(String name, Act act) {
    /** Sends the messages; the test reads the replies. */
    @FunctionalInterface
    interface Act {
        void commit(EchoGuest guest) throws Exception;
    }

    /** One message with need-reply, with descriptors that are closed after sending. */
    static Misdeed message(String name, int request, byte[] payload, Fds fds) {
        return new Misdeed(name, guest -> send(guest, request, payload, fds));
    }

    static Misdeed message(String name, int request, byte[] payload) {
        return message(name, request, payload, guest -> List.of());
    }

    /** A message with the given header, including its size. */
    static Misdeed header(String name, int request, int flags, int size, byte[] payload) {
        byte[] bytes = ByteBuffer.allocate(Connection.HEADER_SIZE + payload.length)
                .order(ByteOrder.nativeOrder())
                .putInt(request)
                .putInt(flags)
                .putInt(size)
                .put(payload)
                .array();
        return new Misdeed(name, guest -> guest.frontEnd().connection().sendBytes(bytes, List.of()));
    }

    /** Sets wrong addresses of rings, and starts the rings. */
    static Misdeed addresses(String name, UnaryOperator<RingAddresses> bend) {
        return new Misdeed(name, guest -> {
            guest.frontEnd().getVringBase(0);
            send(
                    guest,
                    Request.SET_VRING_ADDR,
                    Payload.ringAddresses(bend.apply(guest.ring.addresses(false))),
                    none -> List.of());
            send(
                    guest,
                    Request.SET_VRING_KICK,
                    Payload.number(0),
                    running -> List.of(running.ring.kickFd().fd().duplicate()));
        });
    }

    static void send(EchoGuest guest, int request, byte[] payload, Fds fds) throws Exception {
        List<Fd> attached = fds.of(guest);
        try {
            guest.frontEnd().send(request, Connection.VERSION | Connection.NEED_REPLY, payload, attached);
        } finally {
            attached.forEach(Fd::close);
        }
    }

    /** Makes descriptors for one message. */
    @FunctionalInterface
    interface Fds {
        List<Fd> of(EchoGuest guest) throws IOException;
    }

    @Override
    public String toString() {
        return name;
    }
}
