package org.exomem.migration.stream.wire.tls;

import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Date;

/** Whether a certificate is valid at a time. */
enum Validity {
    EXPIRED,
    NOT_YET,
    VALID;

    private static final DateTimeFormatter DATE =
            DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm 'UTC'").withZone(ZoneOffset.UTC);

    static Validity of(X509Certificate certificate, Instant now) {
        if (now.isAfter(certificate.getNotAfter().toInstant())) {
            return EXPIRED;
        }
        return now.isBefore(certificate.getNotBefore().toInstant()) ? NOT_YET : VALID;
    }

    /** The state in words, to follow the name of the certificate. */
    String text(X509Certificate certificate) {
        return switch (this) {
            case EXPIRED -> "expired on " + date(certificate.getNotAfter());
            case NOT_YET ->
                "is not valid before " + date(certificate.getNotBefore()) + "; check the clocks of both hosts";
            case VALID -> "is valid until " + date(certificate.getNotAfter());
        };
    }

    private static String date(Date date) {
        return DATE.format(date.toInstant());
    }
}
