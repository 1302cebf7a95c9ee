package org.exomem.images.signature;

import java.io.IOException;
import java.nio.file.Path;
import org.bouncycastle.crypto.params.Ed25519PublicKeyParameters;
import org.bouncycastle.crypto.signers.Ed25519Signer;
import org.bouncycastle.crypto.util.PublicKeyFactory;
import org.bouncycastle.crypto.util.SubjectPublicKeyInfoFactory;
import org.exomem.images.Sha256;

/** The public half of a pair of Ed25519 keys, which checks signatures. Safe for use by several threads. */
public final class CheckingKey {
    private static final String KIND = "PUBLIC KEY";

    private final Ed25519PublicKeyParameters key;

    CheckingKey(Ed25519PublicKeyParameters key) {
        this.key = key;
    }

    /**
     * Reads a key (SubjectPublicKeyInfo in PEM).
     *
     * @throws IOException if it does not exist, or is no Ed25519 key
     */
    public static CheckingKey read(Path file) throws IOException {
        byte[] encoded = KeyFile.read(file, KIND, false);
        try {
            if (PublicKeyFactory.createKey(encoded) instanceof Ed25519PublicKeyParameters key) {
                return new CheckingKey(key);
            }
        } catch (IOException | RuntimeException e) {
            // BouncyCastle throws several exceptions for bytes that are no key.
            throw new IOException("the key in " + file + " is damaged: " + e.getMessage(), e);
        }
        throw new IOException("the key in " + file + " is not an Ed25519 key");
    }

    void write(Path file) throws IOException {
        KeyFile.write(
                file,
                KIND,
                SubjectPublicKeyInfoFactory.createSubjectPublicKeyInfo(key).getEncoded(),
                false);
    }

    /** Identifies the key: the SHA-256 of its 32 bytes. */
    public Sha256 fingerprint() {
        return Sha256.of(key.getEncoded());
    }

    boolean accepts(byte[] message, byte[] signature) {
        Ed25519Signer signer = new Ed25519Signer();
        signer.init(false, key);
        signer.update(message, 0, message.length);
        return signer.verifySignature(signature);
    }
}
