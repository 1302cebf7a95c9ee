package org.exomem.migration.stream.wire.tls;

import java.security.cert.X509Certificate;

/** What certificates are called. */
final class CertificateNames {
    private CertificateNames() {}

    /** The common name of the one that it is for; the whole name where there is none. */
    static String of(X509Certificate certificate) {
        return certificate.getSubjectX500Principal().getName().replaceFirst("^CN=([^,]+).*", "$1");
    }
}
