package org.exomem.migration.stream.wire.tls;

import java.security.cert.X509Certificate;

/** The names in certificates. */
final class CertificateNames {
    private CertificateNames() {}

    /** The common name of the subject; the whole name if there is none. */
    static String of(X509Certificate certificate) {
        return certificate.getSubjectX500Principal().getName().replaceFirst("^CN=([^,]+).*", "$1");
    }
}
