package org.exomem.migration.stream.wire.tls;

import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Explains in plain words why the other end's certificate is not trusted. The JDK decides whether it is; the messages of its
 * exceptions name its classes.
 */
final class PeerTrust extends X509ExtendedTrustManager {
    private final X509ExtendedTrustManager jdk;

    PeerTrust(X509ExtendedTrustManager jdk) {
        this.jdk = jdk;
    }

    private interface Check {
        void run() throws CertificateException;
    }

    private static void explained(X509Certificate[] chain, Check check) throws CertificateException {
        try {
            check.run();
        } catch (CertificateException e) {
            throw new CertificateException(reason(chain, e), e);
        }
    }

    private static String reason(X509Certificate[] chain, CertificateException e) {
        for (X509Certificate certificate : chain) {
            Validity validity = Validity.of(certificate, Instant.now());
            if (validity != Validity.VALID) {
                return "the certificate of " + CertificateNames.of(certificate) + " " + validity.text(certificate);
            }
        }
        String message = String.valueOf(e.getMessage());
        if (chain.length > 0 && (message.contains("subject alternative") || message.startsWith("No name matching"))) {
            return "its certificate is for " + names(chain[0]) + ", not for the host to which this end connected";
        }
        return "its certificate is not signed by a CA that this end trusts; both ends need certificates of the same CA";
    }

    private static String names(X509Certificate certificate) {
        try {
            Collection<List<?>> names = certificate.getSubjectAlternativeNames();
            if (names != null && !names.isEmpty()) {
                return names.stream().map(name -> String.valueOf(name.get(1))).collect(Collectors.joining(", "));
            }
        } catch (CertificateParsingException e) {
            return CertificateNames.of(certificate);
        }
        return CertificateNames.of(certificate);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) throws CertificateException {
        explained(chain, () -> jdk.checkClientTrusted(chain, type, engine));
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) throws CertificateException {
        explained(chain, () -> jdk.checkServerTrusted(chain, type, engine));
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) throws CertificateException {
        explained(chain, () -> jdk.checkClientTrusted(chain, type, socket));
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) throws CertificateException {
        explained(chain, () -> jdk.checkServerTrusted(chain, type, socket));
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type) throws CertificateException {
        explained(chain, () -> jdk.checkClientTrusted(chain, type));
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type) throws CertificateException {
        explained(chain, () -> jdk.checkServerTrusted(chain, type));
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return jdk.getAcceptedIssuers();
    }
}
