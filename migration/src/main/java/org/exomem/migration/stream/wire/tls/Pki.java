package org.exomem.migration.stream.wire.tls;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x500.X500NameBuilder;
import org.bouncycastle.asn1.x500.style.BCStyle;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.util.IPAddress;

/**
 * A private certificate authority in a folder, and certificates of hosts in folders within it. A host needs only its folder;
 * the CA's key stays in place. Existing files are never overwritten.
 *
 * <pre>
 * DIR/ca-cert.pem         the CA's certificate
 * DIR/ca-key.pem          its key, for its owner only
 * DIR/HOST/ca-cert.pem    the CA's certificate
 * DIR/HOST/host-cert.pem  the host's, for both ends of a migration
 * DIR/HOST/host-key.pem   its key, for its owner only
 * </pre>
 */
public final class Pki {
    public static final String CA_CERTIFICATE = "ca-cert.pem";
    public static final String CA_KEY = "ca-key.pem";
    public static final String HOST_CERTIFICATE = "host-cert.pem";
    public static final String HOST_KEY = "host-key.pem";

    private static final String CURVE = "secp256r1";
    private static final String SIGNATURE = "SHA256withECDSA";
    private static final int SERIAL_BITS = 159;
    /** Certificates are valid from this time before their creation, so that a clock that is slow does not reject them. */
    private static final Duration SKEW = Duration.ofHours(1);

    private static final Duration CA_LIFE = Duration.ofDays(3650);
    private static final Duration HOST_LIFE = Duration.ofDays(825);

    private final Path folder;
    private final X509Certificate authority;
    private final PrivateKey key;
    private final boolean isNew;
    private final Clock clock;
    private final SecureRandom random = new SecureRandom();

    private Pki(Path folder, X509Certificate authority, PrivateKey key, boolean isNew, Clock clock) {
        this.clock = clock;
        this.folder = folder;
        this.authority = authority;
        this.key = key;
        this.isNew = isNew;
    }

    /**
     * Checks the name of a host, which becomes the name of a folder and a part of a certificate.
     *
     * @throws IllegalArgumentException if it is neither a host name nor an IP address
     */
    public static void checkHost(String host) {
        if (!IPAddress.isValid(host) && !host.matches("[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")) {
            throw new IllegalArgumentException("\"" + host + "\" is neither a host name nor an IP address");
        }
    }

    /**
     * Opens the CA of a folder, or makes one there.
     *
     * @throws IOException if the folder can't be made, or has only one of the CA's two files, or one that can't be used
     */
    public static Pki in(Path folder) throws IOException {
        return in(folder, Clock.systemUTC());
    }

    static Pki in(Path folder, Clock clock) throws IOException {
        makeFolder(folder);
        Path certificate = folder.resolve(CA_CERTIFICATE);
        Path keyFile = folder.resolve(CA_KEY);
        if (Files.exists(certificate) != Files.exists(keyFile)) {
            boolean keyIsMissing = Files.exists(certificate);
            throw new IOException("the folder " + folder + " has " + (keyIsMissing ? CA_CERTIFICATE : CA_KEY)
                    + " but no " + (keyIsMissing ? CA_KEY : CA_CERTIFICATE)
                    + ": put the missing file of this CA there, or create another CA in an empty folder");
        }
        if (Files.exists(certificate)) {
            return new Pki(
                    folder, PemFile.certificates(certificate).getFirst(), PemFile.privateKey(keyFile), false, clock);
        }
        try {
            KeyPair pair = newKeys();
            SecureRandom random = new SecureRandom();
            X500Name name = name("exomem migration CA " + Long.toHexString(random.nextLong()));
            X509v3CertificateBuilder builder = builder(name, name, pair.getPublic(), CA_LIFE, random, clock);
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(0));
            builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
            builder.addExtension(
                    Extension.subjectKeyIdentifier,
                    false,
                    new JcaX509ExtensionUtils().createSubjectKeyIdentifier(pair.getPublic()));
            PemFile.write(keyFile, "PRIVATE KEY", pair.getPrivate().getEncoded(), true);
            PemFile.write(
                    certificate,
                    "CERTIFICATE",
                    builder.build(signer(pair.getPrivate())).getEncoded(),
                    false);
            return new Pki(folder, PemFile.certificates(certificate).getFirst(), pair.getPrivate(), true, clock);
        } catch (GeneralSecurityException | OperatorCreationException e) {
            throw new IOException("can't create a CA in " + folder + ": " + e.getMessage(), e);
        }
    }

    /** True if the CA was made by this object. */
    public boolean isNew() {
        return isNew;
    }

    /**
     * Makes a host's certificate.
     *
     * @param host the name or IP address that sources will connect to
     * @return the host's folder
     * @throws IOException if it has a certificate already
     * @throws IllegalArgumentException if the name is not valid, see {@link #checkHost}
     */
    public Path addHost(String host) throws IOException {
        checkHost(host);
        boolean isAddress = IPAddress.isValid(host);
        Path own = folder.resolve(host.replace(':', '_'));
        if (Files.exists(own.resolve(HOST_CERTIFICATE)) || Files.exists(own.resolve(HOST_KEY))) {
            throw new IOException("host " + host + " already has a certificate in " + own
                    + "; move that folder away to create another one");
        }
        try {
            KeyPair pair = newKeys();
            JcaX509ExtensionUtils extensions = new JcaX509ExtensionUtils();
            X509v3CertificateBuilder builder = builder(
                    new JcaX509CertificateHolder(authority).getSubject(),
                    name(host),
                    pair.getPublic(),
                    HOST_LIFE,
                    random,
                    clock);
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false));
            builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
            builder.addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(new KeyPurposeId[] {
                KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth
            }));
            builder.addExtension(
                    Extension.subjectAlternativeName,
                    false,
                    new GeneralNames(new GeneralName(isAddress ? GeneralName.iPAddress : GeneralName.dNSName, host)));
            builder.addExtension(
                    Extension.authorityKeyIdentifier, false, extensions.createAuthorityKeyIdentifier(authority));
            makeFolder(own);
            PemFile.write(
                    own.resolve(HOST_KEY), "PRIVATE KEY", pair.getPrivate().getEncoded(), true);
            PemFile.write(
                    own.resolve(HOST_CERTIFICATE),
                    "CERTIFICATE",
                    builder.build(signer(key)).getEncoded(),
                    false);
            Path copy = own.resolve(CA_CERTIFICATE);
            Files.deleteIfExists(copy);
            PemFile.write(copy, "CERTIFICATE", authority.getEncoded(), false);
            return own;
        } catch (CertificateEncodingException e) {
            throw new IOException("the CA's certificate in " + folder + " can't be used: " + e.getMessage(), e);
        } catch (GeneralSecurityException | OperatorCreationException e) {
            throw new IOException("can't create a certificate for " + host + ": " + e.getMessage(), e);
        }
    }

    private static void makeFolder(Path folder) throws IOException {
        try {
            Files.createDirectories(
                    folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } catch (FileSystemException e) {
            String why = switch (e) {
                case FileAlreadyExistsException there -> "it is a file";
                case NoSuchFileException missing -> "no folder can be created there";
                case AccessDeniedException denied -> "permission denied";
                default -> String.valueOf(e.getReason() == null ? e.getMessage() : e.getReason());
            };
            throw new IOException("can't create the folder " + folder + ": " + why, e);
        }
    }

    private static KeyPair newKeys() throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec(CURVE));
        return generator.generateKeyPair();
    }

    private static X500Name name(String commonName) {
        return new X500NameBuilder(BCStyle.INSTANCE)
                .addRDN(BCStyle.CN, commonName)
                .build();
    }

    private static X509v3CertificateBuilder builder(
            X500Name issuer, X500Name subject, PublicKey key, Duration life, SecureRandom random, Clock clock) {
        Instant now = clock.instant();
        return new JcaX509v3CertificateBuilder(
                issuer,
                new BigInteger(SERIAL_BITS, random),
                Date.from(now.minus(SKEW)),
                Date.from(now.plus(life)),
                subject,
                key);
    }

    private static ContentSigner signer(PrivateKey key) throws OperatorCreationException {
        return new JcaContentSignerBuilder(SIGNATURE).build(key);
    }
}
