package org.exomem.migration.stream.wire.tls;

import java.io.EOFException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.security.Security;
import java.util.List;
import java.util.Vector;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.tls.AbstractTlsClient;
import org.bouncycastle.tls.AbstractTlsServer;
import org.bouncycastle.tls.AlertDescription;
import org.bouncycastle.tls.BasicTlsPSKExternal;
import org.bouncycastle.tls.CipherSuite;
import org.bouncycastle.tls.PRFAlgorithm;
import org.bouncycastle.tls.ProtocolVersion;
import org.bouncycastle.tls.PskIdentity;
import org.bouncycastle.tls.TlsAuthentication;
import org.bouncycastle.tls.TlsClientProtocol;
import org.bouncycastle.tls.TlsCredentials;
import org.bouncycastle.tls.TlsFatalAlert;
import org.bouncycastle.tls.TlsFatalAlertReceived;
import org.bouncycastle.tls.TlsPSK;
import org.bouncycastle.tls.TlsPSKExternal;
import org.bouncycastle.tls.TlsServerProtocol;
import org.bouncycastle.tls.crypto.TlsCrypto;
import org.exomem.migration.stream.wire.Closing;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.Wire;
import org.jspecify.annotations.Nullable;

/**
 * TLS 1.3 with a pre-shared key and forward secrecy (psk_dhe_ke, STR-SEC-3). The JDK's TLS does not support such keys, so
 * BouncyCastle implements the protocol. The JDK's ciphers encrypt, ten times as fast as BouncyCastle's own. Safe for use by
 * several threads.
 */
public final class PskSecurity implements StreamSecurity {
    private static final int SUITE = CipherSuite.TLS_AES_128_GCM_SHA256;

    static {
        // Last, so that the JDK's algorithms are preferred.
        if (Security.getProvider(BouncyCastleProvider.PROVIDER_NAME) == null) {
            Security.addProvider(new BouncyCastleProvider());
        }
    }

    private final PreSharedKey key;
    private final byte[] identity;
    private final SecureRandom random = new SecureRandom();
    private final SecureRandom nonces = new SecureRandom();

    public PskSecurity(PreSharedKey key) {
        this.key = key;
        this.identity = key.identity().getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public boolean protects() {
        return true;
    }

    @Override
    public Wire outgoing(SocketChannel socket, MigrationAddress to) throws IOException {
        PskWire.Streams streams = new PskWire.Streams(socket);
        TlsClientProtocol protocol = new TlsClientProtocol(streams.in(), streams.out());
        return shaken(socket, () -> {
            protocol.connect(new Client(crypto()));
            return new PskWire(socket, protocol, streams, key.identity());
        });
    }

    @Override
    public Wire incoming(SocketChannel socket) throws IOException {
        PskWire.Streams streams = new PskWire.Streams(socket);
        TlsServerProtocol protocol = new TlsServerProtocol(streams.in(), streams.out());
        return shaken(socket, () -> {
            protocol.accept(new Server(crypto()));
            return new PskWire(socket, protocol, streams, key.identity());
        });
    }

    private interface Handshake {
        Wire shake() throws IOException;
    }

    private static Wire shaken(SocketChannel socket, Handshake handshake) throws IOException {
        try {
            return handshake.shake();
        } catch (IOException e) {
            Closing.quietly(socket);
            IOException why = explained(e);
            boolean broke =
                    why == e && !(e instanceof ClosedChannelException) && !(e instanceof InterruptedIOException);
            throw broke
                    ? new IOException(
                            "the other end broke the connection during the TLS handshake (" + e.getMessage()
                                    + "): both ends need the same identity and pre-shared key",
                            e)
                    : why;
        }
    }

    static IOException explained(IOException e) {
        return switch (e) {
            case ClosedChannelException closed -> closed;
            case InterruptedIOException interrupted -> interrupted;
            case TlsFatalAlertReceived alert ->
                new IOException(
                        "the other end rejected the pre-shared key, or does not accept TLS ("
                                + name(alert.getAlertDescription()) + "): both ends need the same identity and key",
                        alert);
            case TlsFatalAlert alert ->
                new IOException(
                        "the other end does not use TLS, or has another pre-shared key or none ("
                                + name(alert.getAlertDescription()) + "): both ends need the same identity and key",
                        alert);
            case EOFException end ->
                new IOException(
                        "the other end ended the connection during the TLS handshake: both ends need the same identity"
                                + " and pre-shared key",
                        end);
            default -> e;
        };
    }

    private static String name(short alert) {
        return AlertDescription.getName(alert);
    }

    private TlsCrypto crypto() {
        return new JdkCrypto(random, nonces);
    }

    private TlsPSKExternal secret(TlsCrypto crypto) {
        return new BasicTlsPSKExternal(
                identity, crypto.createSecret(key.secret().clone()), PRFAlgorithm.tls13_hkdf_sha256);
    }

    private final class Client extends AbstractTlsClient {
        Client(TlsCrypto crypto) {
            super(crypto);
        }

        @Override
        protected ProtocolVersion[] getSupportedVersions() {
            return ProtocolVersion.TLSv13.only();
        }

        @Override
        protected int[] getSupportedCipherSuites() {
            return new int[] {SUITE};
        }

        @Override
        @SuppressWarnings("JdkObsolete") // BouncyCastle's type
        public Vector<TlsPSKExternal> getExternalPSKs() {
            return new Vector<>(List.of(secret(getCrypto())));
        }

        @Override
        public void notifySelectedPSK(@Nullable TlsPSK selected) throws IOException {
            if (selected == null) {
                throw new TlsFatalAlert(AlertDescription.handshake_failure);
            }
        }

        @Override
        public TlsAuthentication getAuthentication() throws IOException {
            // A peer with a certificate and without the key is not the right one.
            throw new TlsFatalAlert(AlertDescription.handshake_failure);
        }

        @Override
        public boolean requiresCloseNotify() {
            // The stream itself marks its end.
            return false;
        }
    }

    private final class Server extends AbstractTlsServer {
        private boolean found;

        Server(TlsCrypto crypto) {
            super(crypto);
        }

        @Override
        protected ProtocolVersion[] getSupportedVersions() {
            return ProtocolVersion.TLSv13.only();
        }

        @Override
        protected int[] getSupportedCipherSuites() {
            return new int[] {SUITE};
        }

        @Override
        @SuppressWarnings({"rawtypes", "NullAway"}) // BouncyCastle's signature; null means that no key fits
        public TlsPSKExternal getExternalPSK(Vector identities) {
            for (Object offered : identities) {
                if (offered instanceof PskIdentity psk && MessageDigest.isEqual(psk.getIdentity(), identity)) {
                    found = true;
                    return secret(getCrypto());
                }
            }
            return null;
        }

        @Override
        public TlsCredentials getCredentials() throws IOException {
            if (!found) {
                throw new TlsFatalAlert(AlertDescription.unknown_psk_identity);
            }
            throw new TlsFatalAlert(AlertDescription.internal_error);
        }

        @Override
        public boolean requiresCloseNotify() {
            return false;
        }
    }
}
