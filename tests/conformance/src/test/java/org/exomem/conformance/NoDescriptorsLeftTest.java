package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.EventFd;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process without free descriptors disconnects no VM: messages wait until some are free. */
@Tag("VHU-HDR-8")
class NoDescriptorsLeftTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final int FILES = 400;

    @TempDir
    Path folder;

    private EchoProcess process;
    private EchoGuest guest;

    @BeforeEach
    void start() throws Exception {
        Path socket = folder.resolve("s");
        process = EchoProcess.withFileLimit(socket, FILES);
        guest = EchoGuest.attach(FrontEnd.connect(socket), EchoGuest.SPLIT, EchoGuest.EVERY_PROTOCOL_FEATURE);
        guest.device.start();
        guest.assertEcho();
        process.useUpDescriptors();
    }

    @AfterEach
    void end() {
        guest.close();
        process.close();
    }

    @Test
    void aMessageWithDescriptorsIsServedFromTheReserveAndTheNextOneWaits() throws Exception {
        try (EventFd first = new EventFd();
                EventFd second = new EventFd()) {
            guest.frontEnd().setVringErr(0, first);
            // Another one for another ring: no descriptor is closed for it.
            guest.frontEnd()
                    .send(
                            Request.SET_VRING_ERR,
                            Connection.VERSION | Connection.NEED_REPLY,
                            Payload.number(EchoDevice.HOLDING),
                            List.of(second.fd()));
            await().atMost(LIMIT).until(() -> process.faults().contains("EMFILE"));
            guest.assertEcho();
            process.freeDescriptors();
            assertThat(guest.frontEnd().connection().receive().asLong()).isZero();
            guest.assertEcho();
        }
        assertThat(process.faults()).doesNotContain("closed");
    }

    @Test
    void anAnswerWithADescriptorIsGivenFromTheReserve() throws Exception {
        guest.frontEnd().getInflightFd(1, 16).close();
        guest.frontEnd().getInflightFd(1, 16).close();
        guest.assertEcho();
        assertThat(process.faults()).doesNotContain("closed");
    }

    @Test
    void aFrontEndThatLeavesWhileItsMessageWaitsIsNoticed() throws Exception {
        try (EventFd one = new EventFd()) {
            guest.frontEnd().setVringErr(0, one);
            guest.frontEnd().send(Request.SET_VRING_ERR, Connection.VERSION, Payload.number(1), List.of(one.fd()));
            await().atMost(LIMIT).until(() -> process.faults().contains("EMFILE"));
        }
        guest.close();
        // The descriptors of the disconnected front-end are free for the next one.
        guest = EchoGuest.attach(
                FrontEnd.connect(folder.resolve("s")), EchoGuest.SPLIT, EchoGuest.EVERY_PROTOCOL_FEATURE);
        guest.device.start();
        guest.assertEcho();
    }
}
