package org.exomem.migration.stream.wire.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.List;
import java.util.Random;
import java.util.Vector;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import org.bouncycastle.tls.AbstractTlsClient;
import org.bouncycastle.tls.AbstractTlsServer;
import org.bouncycastle.tls.BasicTlsPSKExternal;
import org.bouncycastle.tls.CipherSuite;
import org.bouncycastle.tls.PRFAlgorithm;
import org.bouncycastle.tls.ProtocolVersion;
import org.bouncycastle.tls.TlsAuthentication;
import org.bouncycastle.tls.TlsClientProtocol;
import org.bouncycastle.tls.TlsCredentials;
import org.bouncycastle.tls.TlsPSKExternal;
import org.bouncycastle.tls.TlsProtocol;
import org.bouncycastle.tls.TlsServerProtocol;
import org.bouncycastle.tls.crypto.TlsCrypto;
import org.bouncycastle.tls.crypto.TlsSecret;
import org.bouncycastle.tls.crypto.impl.jcajce.JcaTlsCryptoProvider;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.Wire;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Our records against those of BouncyCastle's own protocol, with which exomem 0.1.0 speaks. */
@Timeout(60)
@Tag("STR-SEC-3")
class PskWireTest {
    private static final byte[] SECRET = new byte[32];
    private static final TlsCrypto CRYPTO = new JcaTlsCryptoProvider().create(new SecureRandom());
    private static final MigrationAddress NOWHERE = new MigrationAddress.Network("127.0.0.1", 1);

    private final byte[] sent = new byte[3 << 20];
    private SocketChannel here;
    private SocketChannel there;

    @BeforeEach
    void connect() throws IOException {
        new Random(1).nextBytes(sent);
        try (ServerSocketChannel server = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0))) {
            here = SocketChannel.open(server.getLocalAddress());
            there = server.accept();
        }
    }

    @AfterEach
    void close() throws IOException {
        here.close();
        there.close();
    }

    private static TlsPSKExternal psk() {
        return new BasicTlsPSKExternal(
                "k".getBytes(StandardCharsets.UTF_8),
                CRYPTO.createSecret(SECRET.clone()),
                PRFAlgorithm.tls13_hkdf_sha256);
    }

    private static PskSecurity ours(long recordsOfAKey) {
        return new PskSecurity(new PreSharedKey("k", SECRET), recordsOfAKey);
    }

    private static final class Client extends AbstractTlsClient {
        Client() {
            super(CRYPTO);
        }

        @Override
        protected ProtocolVersion[] getSupportedVersions() {
            return ProtocolVersion.TLSv13.only();
        }

        @Override
        protected int[] getSupportedCipherSuites() {
            return new int[] {CipherSuite.TLS_AES_128_GCM_SHA256};
        }

        @Override
        @SuppressWarnings("JdkObsolete") // BouncyCastle's type
        public Vector<TlsPSKExternal> getExternalPSKs() {
            return new Vector<>(List.of(psk()));
        }

        @Override
        public TlsAuthentication getAuthentication() {
            throw new IllegalStateException("there are no certificates");
        }

        @Override
        public boolean requiresCloseNotify() {
            return false;
        }
    }

    private static final class Server extends AbstractTlsServer {
        Server() {
            super(CRYPTO);
        }

        @Override
        protected ProtocolVersion[] getSupportedVersions() {
            return ProtocolVersion.TLSv13.only();
        }

        @Override
        protected int[] getSupportedCipherSuites() {
            return new int[] {CipherSuite.TLS_AES_128_GCM_SHA256};
        }

        @Override
        @SuppressWarnings("rawtypes") // BouncyCastle's signature
        public TlsPSKExternal getExternalPSK(Vector identities) {
            return psk();
        }

        @Override
        public TlsCredentials getCredentials() {
            throw new IllegalStateException("there are no certificates");
        }

        @Override
        public boolean requiresCloseNotify() {
            return false;
        }
    }

    private static <T> FutureTask<T> start(Callable<T> task) {
        FutureTask<T> started = new FutureTask<>(task);
        Thread.ofPlatform().daemon().start(started);
        return started;
    }

    private static byte[] receive(Wire wire, int size) throws IOException {
        ByteBuffer all = ByteBuffer.allocate(size);
        while (all.hasRemaining()) {
            assertThat(wire.read(all)).isPositive();
        }
        return all.array();
    }

    private void assertEchoed(Wire wire, FutureTask<byte[]> other) throws Exception {
        FutureTask<Void> writing = start(() -> {
            wire.write(new ByteBuffer[] {ByteBuffer.wrap(sent, 0, 100), ByteBuffer.wrap(sent, 100, sent.length - 100)});
            return null;
        });
        assertThat(receive(wire, sent.length)).isEqualTo(sent);
        writing.get();
        assertThat(other.get()).isEqualTo(sent);
        assertThat(wire.read(ByteBuffer.allocate(1))).isEqualTo(-1);
    }

    /** What came, which goes back as it comes. */
    private byte[] echo(TlsProtocol protocol, Socket socket) throws IOException {
        byte[] came = new byte[sent.length];
        InputStream in = protocol.getInputStream();
        OutputStream out = protocol.getOutputStream();
        for (int at = 0; at < came.length; ) {
            int length = in.read(came, at, came.length - at);
            out.write(came, at, length);
            at += length;
        }
        socket.shutdownOutput();
        return came;
    }

    @ParameterizedTest
    @ValueSource(longs = {3, Long.MAX_VALUE})
    void ourClientSpeaksWithBouncyCastlesServer(long recordsOfAKey) throws Exception {
        FutureTask<byte[]> server = start(() -> {
            Socket socket = there.socket();
            TlsServerProtocol protocol = new TlsServerProtocol(socket.getInputStream(), socket.getOutputStream());
            protocol.accept(new Server());
            return echo(protocol, socket);
        });
        assertEchoed(ours(recordsOfAKey).outgoing(here, NOWHERE), server);
    }

    @ParameterizedTest
    @ValueSource(longs = {3, Long.MAX_VALUE})
    void ourServerSpeaksWithBouncyCastlesClient(long recordsOfAKey) throws Exception {
        FutureTask<byte[]> client = start(() -> {
            Socket socket = here.socket();
            TlsClientProtocol protocol = new TlsClientProtocol(socket.getInputStream(), socket.getOutputStream());
            protocol.connect(new Client());
            return echo(protocol, socket);
        });
        assertEchoed(ours(recordsOfAKey).incoming(there), client);
    }

    private static TlsSecret secret(int number) {
        byte[] secret = new byte[32];
        secret[0] = (byte) number;
        return CRYPTO.createSecret(secret);
    }

    private Wire reader() {
        return new PskWire(there, "other", secret(2), secret(1));
    }

    /** The bytes of a record as they travel. */
    private byte[] record(byte[] content) throws IOException {
        Wire wire = new PskWire(here, "other", secret(1), secret(2));
        wire.write(new ByteBuffer[] {ByteBuffer.wrap(content)});
        ByteBuffer raw = ByteBuffer.allocate(5 + content.length + 17);
        while (raw.hasRemaining()) {
            there.read(raw);
        }
        return raw.array();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 3, 4, 5, 60, 121})
    void aRecordThatWasChangedAnywhereIsRefused(int at) throws Exception {
        byte[] raw = record(new byte[100]);
        raw[at] ^= 1;
        here.write(ByteBuffer.wrap(raw));
        here.shutdownOutput();
        assertThatThrownBy(() -> reader().read(ByteBuffer.allocate(200))).isInstanceOf(IOException.class);
    }

    @Test
    void aRecordThatComesTwiceIsRefused() throws Exception {
        byte[] raw = record(new byte[100]);
        here.write(ByteBuffer.wrap(raw));
        here.write(ByteBuffer.wrap(raw));
        Wire reader = reader();
        assertThat(receive(reader, 100)).containsOnly(0);
        assertThatThrownBy(() -> reader.read(ByteBuffer.allocate(200)))
                .hasMessage("a TLS record was changed on its way, or is not the one that was sent next");
    }

    @Test
    void aRecordThatIsCutIsNoEnd() throws Exception {
        byte[] raw = record(new byte[100]);
        here.write(ByteBuffer.wrap(raw, 0, raw.length - 1));
        here.shutdownOutput();
        assertThatThrownBy(() -> reader().read(ByteBuffer.allocate(200))).isInstanceOf(EOFException.class);
    }

    @Test
    void aReaderWithLittleRoomGetsARecordInPieces() throws Exception {
        byte[] content = new byte[1000];
        new Random(3).nextBytes(content);
        here.write(ByteBuffer.wrap(record(content)));
        Wire reader = reader();
        ByteBuffer all = ByteBuffer.allocate(content.length);
        while (all.hasRemaining()) {
            all.limit(Math.min(all.capacity(), all.position() + 7));
            reader.read(all);
            all.limit(all.capacity());
        }
        assertThat(all.array()).isEqualTo(content);
    }
}
