package org.exomem.migration.stream.wire.tls;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import org.exomem.migration.stream.wire.Closing;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.Wire;

/**
 * TLS 1.3 with certificates: each end has a certificate of a CA that the other trusts, and the source also checks that the
 * destination's is for the host that it connects to (STR-SEC-2). The JDK's TLS implements all of this. Safe for use by
 * several threads.
 */
public final class CertificateSecurity implements StreamSecurity {
    private static final String PROTOCOL = "TLSv1.3";
    private static final String[] SUITES = {
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"
    };

    private final SSLContext context;
    /** This end's certificates, by file. */
    private final Map<Path, List<X509Certificate>> own;

    private CertificateSecurity(SSLContext context, Map<Path, List<X509Certificate>> own) {
        this.context = context;
        this.own = own;
    }

    /**
     * Reads a folder that {@code exomem pki init} makes for each host.
     *
     * @throws IOException naming the file that is missing, unreadable, or does not fit the others; whose certificate has
     *     expired; or whose secret others can read (STR-SEC-6 to STR-SEC-8)
     */
    public static CertificateSecurity of(Path folder) throws IOException {
        CertificateSecurity read = unchecked(folder);
        checkValid(read.own);
        return read;
    }

    /** As {@link #of}, without the check of the validity. */
    static CertificateSecurity unchecked(Path folder) throws IOException {
        Path authorityFile = folder.resolve(Pki.CA_CERTIFICATE);
        Path ownFile = folder.resolve(Pki.HOST_CERTIFICATE);
        List<X509Certificate> authorities = PemFile.certificates(authorityFile);
        List<X509Certificate> own = PemFile.certificates(ownFile);
        Map<Path, List<X509Certificate>> files = new LinkedHashMap<>();
        files.put(ownFile, own);
        files.put(authorityFile, authorities);
        PrivateKey key = PemFile.privateKey(folder.resolve(Pki.HOST_KEY));
        if (!PemFile.isPair(own.getFirst().getPublicKey(), key)) {
            throw new IOException(
                    "the key in " + folder.resolve(Pki.HOST_KEY) + " does not match the certificate beside it");
        }
        try {
            return new CertificateSecurity(context(authorities, own, key), files);
        } catch (GeneralSecurityException e) {
            throw new IOException("the certificates in " + folder + " can't be used: " + e.getMessage(), e);
        }
    }

    /** STR-SEC-8: otherwise the other end would refuse them, and not report why. */
    private static void checkValid(Map<Path, List<X509Certificate>> files) throws IOException {
        Instant now = Instant.now();
        for (Map.Entry<Path, List<X509Certificate>> file : files.entrySet()) {
            // The first certificate counts; of several authorities one may have expired.
            X509Certificate certificate = file.getValue().getFirst();
            Validity validity = Validity.of(certificate, now);
            boolean anyValid = file.getValue().stream().anyMatch(other -> Validity.of(other, now) == Validity.VALID);
            if (validity != Validity.VALID && (!anyValid || file.getKey().endsWith(Pki.HOST_CERTIFICATE))) {
                throw new IOException("this end's certificate " + file.getKey() + ", of "
                        + CertificateNames.of(certificate) + ", " + validity.text(certificate)
                        + (validity == Validity.EXPIRED ? "; \"exomem pki init\" makes a new one" : ""));
            }
        }
    }

    /** The JDK's decisions, with plain messages. */
    private static TrustManager[] explained(TrustManager[] managers) {
        return Arrays.stream(managers)
                .map(manager ->
                        manager instanceof X509ExtendedTrustManager extended ? new PeerTrust(extended) : manager)
                .toArray(TrustManager[]::new);
    }

    private static SSLContext context(List<X509Certificate> authorities, List<X509Certificate> own, PrivateKey key)
            throws GeneralSecurityException, IOException {
        KeyStore trusted = empty();
        for (int i = 0; i < authorities.size(); i++) {
            trusted.setCertificateEntry("ca-" + i, authorities.get(i));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        KeyStore keys = empty();
        keys.setKeyEntry("host", key, new char[0], own.toArray(Certificate[]::new));
        KeyManagerFactory keyManagers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keyManagers.init(keys, new char[0]);
        SSLContext context = SSLContext.getInstance(PROTOCOL);
        context.init(keyManagers.getKeyManagers(), explained(trust.getTrustManagers()), null);
        // Each connection needs a new proof of identity.
        context.getClientSessionContext().setSessionCacheSize(1);
        context.getServerSessionContext().setSessionCacheSize(1);
        return context;
    }

    private static KeyStore empty() throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }

    @Override
    public boolean protects() {
        return true;
    }

    @Override
    public Wire outgoing(SocketChannel socket, MigrationAddress to) throws IOException {
        SSLEngine engine = to instanceof MigrationAddress.Network network
                ? context.createSSLEngine(network.host(), network.port())
                : context.createSSLEngine();
        SSLParameters parameters = parameters();
        if (to instanceof MigrationAddress.Network) {
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
        }
        engine.setUseClientMode(true);
        engine.setSSLParameters(parameters);
        return shaken(socket, engine);
    }

    @Override
    public Wire incoming(SocketChannel socket) throws IOException {
        return shaken(socket, serverEngine());
    }

    /** Returns the server end of one connection, whose client must have a certificate. */
    public SSLEngine serverEngine() {
        SSLEngine engine = context.createSSLEngine();
        SSLParameters parameters = parameters();
        parameters.setNeedClientAuth(true);
        engine.setUseClientMode(false);
        engine.setSSLParameters(parameters);
        return engine;
    }

    private static SSLParameters parameters() {
        return new SSLParameters(SUITES, new String[] {PROTOCOL});
    }

    private static Wire shaken(SocketChannel socket, SSLEngine engine) throws IOException {
        TlsWire wire = new TlsWire(socket, engine);
        try {
            wire.handshake();
            wire.setPeer(name(engine));
            return wire;
        } catch (IOException e) {
            Closing.quietly(socket);
            throw e;
        }
    }

    private static String name(SSLEngine engine) throws SSLPeerUnverifiedException {
        return CertificateNames.of((X509Certificate) engine.getSession().getPeerCertificates()[0]);
    }
}
