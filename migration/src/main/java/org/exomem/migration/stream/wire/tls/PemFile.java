package org.exomem.migration.stream.wire.tls;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.InvalidKeyException;
import java.security.KeyFactory;
import java.security.NoSuchAlgorithmException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.SignatureException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Certificates and keys in PEM format, one kind in a file. */
final class PemFile {
    private static final Pattern KEY =
            Pattern.compile("-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\\s]+)-----END PRIVATE KEY-----");
    private static final Base64.Encoder LINES = Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII));
    private static final List<String> ALGORITHMS = List.of("EC", "RSA", "EdDSA");

    private static final String MISSING = "; \"exomem pki init\" makes it";

    private PemFile() {}

    static List<X509Certificate> certificates(Path file) throws IOException {
        InputStream in = new ByteArrayInputStream(SecretFile.open(file, MISSING));
        try {
            List<X509Certificate> found = CertificateFactory.getInstance("X.509").generateCertificates(in).stream()
                    .map(X509Certificate.class::cast)
                    .toList();
            if (found.isEmpty()) {
                throw new IOException("there is no certificate in " + file);
            }
            return found;
        } catch (CertificateException e) {
            throw new IOException("there is no certificate in " + file, e);
        }
    }

    static PrivateKey privateKey(Path file) throws IOException {
        String text = new String(SecretFile.secret(file, MISSING), StandardCharsets.US_ASCII);
        Matcher key = KEY.matcher(text);
        if (!key.find()) {
            throw new IOException("there is no unencrypted private key (PKCS#8) in " + file);
        }
        PKCS8EncodedKeySpec encoded =
                new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(key.group(1)));
        for (String algorithm : ALGORITHMS) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(encoded);
            } catch (GeneralSecurityException e) {
                continue;
            }
        }
        throw new IOException("the private key in " + file + " is of a type that this exomem does not support");
    }

    /** True if the public key verifies a signature of the private key. */
    static boolean isPair(PublicKey known, PrivateKey secret) throws IOException {
        String algorithm = switch (secret.getAlgorithm()) {
            case "EC" -> "SHA256withECDSA";
            case "RSA" -> "SHA256withRSA";
            default -> "EdDSA";
        };
        try {
            Signature signature = Signature.getInstance(algorithm);
            signature.initSign(secret);
            byte[] signed = signature.sign();
            signature.initVerify(known);
            return signature.verify(signed);
        } catch (InvalidKeyException | SignatureException e) {
            return false;
        } catch (NoSuchAlgorithmException e) {
            throw new IOException("this Java has no " + algorithm, e);
        }
    }

    /**
     * Writes a new file. The file of a key is never readable for other users.
     *
     * @throws IOException if the file exists, or can't be written
     */
    static void write(Path file, String kind, byte[] encoded, boolean secret) throws IOException {
        String text =
                "-----BEGIN " + kind + "-----\n" + LINES.encodeToString(encoded) + "\n-----END " + kind + "-----\n";
        Set<StandardOpenOption> options = EnumSet.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        try (var channel = Files.newByteChannel(
                file,
                options,
                PosixFilePermissions.asFileAttribute(
                        PosixFilePermissions.fromString(secret ? "rw-------" : "rw-r--r--")))) {
            channel.write(StandardCharsets.US_ASCII.encode(text));
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }
}
