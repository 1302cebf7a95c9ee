package org.exomem.conform.strict;

import static org.awaitility.Awaitility.await;

import java.util.stream.Stream;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.linux.Fd;
import org.exomem.linux.PipeEnd;
import org.exomem.linux.SharedFile;

/** Wrong logs, transfers of state and post-copy. */
final class WrongStates {
    private static final long FILE = 4096;

    private WrongStates() {}

    private static void log(Peer peer, long size) throws Exception {
        peer.protocol(Protocol.LOG_SHMFD);
        try (SharedFile file = SharedFile.memfd("log", FILE)) {
            peer.send(Request.SET_LOG_BASE, Payload.log(size, 0), file.fd());
        }
    }

    static Stream<Wrong> all() {
        return Stream.of(
                Wrong.of("vhost.payload.14", peer -> log(peer, 2 * FILE)),
                Wrong.of("vhost.log.7", peer -> {
                    peer.protocol(Protocol.LOG_SHMFD);
                    peer.send(Request.SET_LOG_BASE, Payload.log(FILE, 0));
                }),
                Wrong.of("vhost.log.8", peer -> {
                    peer.memory();
                    log(peer, 8);
                }),
                Wrong.of("vhost.log.11", peer -> {
                    log(peer, 8);
                    peer.send(
                            Request.SET_VRING_ADDR,
                            Payload.ringAddresses(new RingAddresses(0, RingAddresses.LOG, 0, 0, 0, 64 * FILE - 8)));
                }),
                Wrong.of("vhost.state.4", peer -> {
                    peer.run(0, Protocol.DEVICE_STATE);
                    PipeEnd.Pipe pipe = PipeEnd.pipe();
                    try (Fd read = pipe.readEnd();
                            Fd write = pipe.writeEnd()) {
                        peer.send(Request.SET_DEVICE_STATE_FD, Payload.deviceState(0, 0), write);
                    }
                }),
                Wrong.of("vhost.state.6", peer -> {
                    PipeEnd.Pipe pipe = PipeEnd.pipe();
                    Fd write = pipe.writeEnd();
                    try (Fd read = pipe.readEnd()) {
                        peer.send(Request.SET_DEVICE_STATE_FD, Payload.deviceState(1, 0), read);
                        await().until(peer.noticed::getAsBoolean);
                    } finally {
                        write.close();
                    }
                }),
                Wrong.of("vhost.state.8", peer -> {
                    PipeEnd.Pipe pipe = PipeEnd.pipe();
                    pipe.readEnd().close();
                    try (Fd write = pipe.writeEnd()) {
                        peer.send(Request.SET_DEVICE_STATE_FD, Payload.deviceState(0, 0), write);
                    }
                }),
                Wrong.of("vhost.state.14", peer -> {
                    PipeEnd.Pipe pipe = PipeEnd.pipe();
                    try (Fd read = pipe.readEnd();
                            Fd write = pipe.writeEnd()) {
                        peer.send(Request.SET_DEVICE_STATE_FD, Payload.deviceState(0, 0), write);
                        peer.send(Request.GET_FEATURES, Payload.none());
                    }
                }),
                Wrong.of("vhost.postcopy.12", peer -> peer.send(Request.POSTCOPY_LISTEN, Payload.none())),
                Wrong.of("vhost.postcopy.13", peer -> peer.send(Request.POSTCOPY_END, Payload.none())));
    }
}
