package org.exomem.migration.stream.wire.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.concurrent.FutureTask;
import org.exomem.migration.stream.wire.Closing;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Certificates that have expired or are not trusted are reported as such, without class names. */
@Timeout(60)
class CertificateTimesTest {
    private static final String HERE = "127.0.0.1";
    /** Longer ago than the validity of a host's certificate. */
    private static final Clock LONG_AGO = Clock.fixed(Instant.parse("2023-02-01T12:00:00Z"), ZoneOffset.UTC);

    private static final String EXPIRED = "expired on 2025-05-06 12:00 UTC";

    @TempDir
    Path folder;

    private Path pki() {
        return folder.resolve("pki");
    }

    private Path expired() throws IOException {
        return Pki.in(pki(), LONG_AGO).addHost(HERE);
    }

    @Test
    @Tag("STR-SEC-8")
    void anEndsOwnCertificateThatHasExpiredIsToldBeforeItConnects() throws Exception {
        Path host = expired();
        assertThatThrownBy(() -> CertificateSecurity.of(host))
                .hasMessageContaining("this end's certificate " + host.resolve(Pki.HOST_CERTIFICATE))
                .hasMessageContaining(EXPIRED)
                .hasMessageContaining("pki init");
    }

    @Test
    @Tag("STR-SEC-8")
    void anEndsOwnCertificateOfTheFutureIsToldBeforeItConnects() throws Exception {
        Path host = Pki.in(pki(), Clock.offset(Clock.systemUTC(), Duration.ofDays(2)))
                .addHost(HERE);
        assertThatThrownBy(() -> CertificateSecurity.of(host))
                .hasMessageContaining("is not valid before ")
                .hasMessageContaining("check the clocks of both hosts");
    }

    /** The source's failure with this destination. */
    private static IOException failure(StreamSecurity source, StreamSecurity destination) throws Exception {
        try (ServerSocketChannel server = ServerSocketChannel.open().bind(new InetSocketAddress(HERE, 0))) {
            InetSocketAddress address = (InetSocketAddress) server.getLocalAddress();
            FutureTask<Void> serving = new FutureTask<>(() -> {
                SocketChannel socket = server.accept();
                try {
                    destination.incoming(socket).close();
                } finally {
                    Closing.quietly(socket);
                }
                return null;
            });
            Thread.ofPlatform().start(serving);
            SocketChannel socket = SocketChannel.open(address);
            try {
                source.outgoing(socket, new MigrationAddress.Network(HERE, address.getPort()))
                        .close();
                throw new AssertionError("it was trusted");
            } catch (IOException e) {
                return e;
            }
        }
    }

    private static void assertPlain(IOException failure) {
        assertThat(failure.getMessage()).doesNotContain("sun.", "java.", "Exception", "PKIX", "path");
    }

    @Test
    void aPeersExpiredCertificateIsToldWithItsDate() throws Exception {
        Path old = expired();
        Path now = Pki.in(pki()).addHost("source.example");
        IOException failure = failure(CertificateSecurity.of(now), CertificateSecurity.unchecked(old));
        assertThat(failure).hasMessageContaining("the certificate of " + HERE + " " + EXPIRED);
        assertPlain(failure);
    }

    @Test
    void aPeerOfAnotherAuthorityIsToldAsThat() throws Exception {
        Path other = Pki.in(folder.resolve("other")).addHost(HERE);
        Path mine = Pki.in(pki()).addHost("source.example");
        IOException failure = failure(CertificateSecurity.of(mine), CertificateSecurity.of(other));
        assertThat(failure).hasMessageContaining("is not signed by a CA that this end trusts");
        assertPlain(failure);
    }

    @Test
    void aPeerOfAnotherNameIsToldWithItsName() throws Exception {
        Pki pki = Pki.in(pki());
        IOException failure = failure(
                CertificateSecurity.of(pki.addHost("source.example")),
                CertificateSecurity.of(pki.addHost("other.example")));
        assertThat(failure)
                .hasMessageContaining(
                        "its certificate is for other.example, not for the host to which this end connected");
        assertPlain(failure);
    }

    @Test
    void aKeyOfAnotherCertificateIsToldAsThat() throws Exception {
        Pki pki = Pki.in(pki());
        Path one = pki.addHost("one.example");
        Path two = pki.addHost("two.example");
        Files.copy(two.resolve(Pki.HOST_KEY), one.resolve(Pki.HOST_KEY), StandardCopyOption.REPLACE_EXISTING);
        assertThatThrownBy(() -> CertificateSecurity.of(one))
                .hasMessage("the key in " + one.resolve(Pki.HOST_KEY) + " does not match the certificate beside it");
    }
}
