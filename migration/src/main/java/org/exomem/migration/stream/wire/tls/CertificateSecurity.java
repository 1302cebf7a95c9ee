package org.exomem.migration.stream.wire.tls;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.TrustManagerFactory;
import javax.security.auth.x500.X500Principal;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.Quietly;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.Wire;

/**
 * TLS 1.3 by certificates: each end has one of a CA that the other trusts, and the source also checks that the destination's
 * is for the host that it connects to. The JDK's TLS does all of it.
 */
public final class CertificateSecurity implements StreamSecurity {
    private static final String PROTOCOL = "TLSv1.3";
    private static final String[] SUITES = {
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"
    };

    private final SSLContext context;

    private CertificateSecurity(SSLContext context) {
        this.context = context;
    }

    /**
     * Of a folder as {@code exomem pki init} makes one for each host.
     *
     * @throws IOException naming the file that is missing, unreadable, or does not fit the others
     */
    public static CertificateSecurity of(Path folder) throws IOException {
        List<X509Certificate> authorities = PemFile.certificates(folder.resolve(Pki.CA_CERTIFICATE));
        List<X509Certificate> own = PemFile.certificates(folder.resolve(Pki.HOST_CERTIFICATE));
        PrivateKey key = PemFile.privateKey(folder.resolve(Pki.HOST_KEY));
        try {
            return new CertificateSecurity(context(authorities, own, key));
        } catch (GeneralSecurityException e) {
            throw new IOException("the certificates in " + folder + " are of no use: " + e.getMessage(), e);
        }
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
        context.init(keyManagers.getKeyManagers(), trust.getTrustManagers(), null);
        // Each connection proves anew who it is.
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
        SSLEngine engine = context.createSSLEngine();
        SSLParameters parameters = parameters();
        parameters.setNeedClientAuth(true);
        engine.setUseClientMode(false);
        engine.setSSLParameters(parameters);
        return shaken(socket, engine);
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
            Quietly.close(socket);
            throw e;
        }
    }

    private static String name(SSLEngine engine) throws SSLPeerUnverifiedException {
        X500Principal name = ((X509Certificate) engine.getSession().getPeerCertificates()[0]).getSubjectX500Principal();
        return name.getName().replaceFirst("^CN=([^,]+).*", "$1");
    }
}
