package org.exomem.images.signature;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import org.bouncycastle.crypto.params.Ed25519PrivateKeyParameters;
import org.bouncycastle.crypto.signers.Ed25519Signer;
import org.bouncycastle.crypto.util.PrivateKeyFactory;
import org.bouncycastle.crypto.util.PrivateKeyInfoFactory;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;

/** The secret half of a pair of Ed25519 keys, which signs images. Safe for use by several threads. */
public final class SigningKey {
    /** The name of the secret key's file. */
    public static final String SECRET = "template-key.pem";

    /** The name of the public key's file. */
    public static final String PUBLIC = "template-key.pub";

    private static final String KIND = "PRIVATE KEY";

    private final Ed25519PrivateKeyParameters key;

    private SigningKey(Ed25519PrivateKeyParameters key) {
        this.key = key;
    }

    /**
     * Makes a pair of keys in two new files of a folder: {@link #SECRET}, with access for its owner only, and {@link
     * #PUBLIC}.
     *
     * @throws ImageException {@link Fault#EXISTS} if one exists; nothing has changed then
     */
    public static SigningKey make(Path folder) throws IOException {
        for (String file : new String[] {SECRET, PUBLIC}) {
            if (Files.exists(folder.resolve(file))) {
                throw new ImageException(
                        Fault.EXISTS, folder.resolve(file) + " already contains a key; it is not overwritten");
            }
        }
        SigningKey made = new SigningKey(new Ed25519PrivateKeyParameters(new SecureRandom()));
        KeyFile.write(
                folder.resolve(SECRET),
                KIND,
                PrivateKeyInfoFactory.createPrivateKeyInfo(made.key).getEncoded(),
                true);
        made.check().write(folder.resolve(PUBLIC));
        return made;
    }

    /**
     * Reads a secret key (PKCS#8 in PEM, not encrypted).
     *
     * @throws IOException if it does not exist, is no Ed25519 key, or others than its owner can read or change it
     */
    public static SigningKey read(Path file) throws IOException {
        byte[] encoded = KeyFile.read(file, KIND, true);
        try {
            if (PrivateKeyFactory.createKey(encoded) instanceof Ed25519PrivateKeyParameters key) {
                return new SigningKey(key);
            }
        } catch (IOException | RuntimeException e) {
            // BouncyCastle throws several exceptions for bytes that are no key.
            throw new IOException("the key in " + file + " is damaged: " + e.getMessage(), e);
        }
        throw new IOException("the key in " + file + " is not an Ed25519 key");
    }

    /** The public half. */
    public CheckingKey check() {
        return new CheckingKey(key.generatePublicKey());
    }

    byte[] sign(byte[] message) {
        Ed25519Signer signer = new Ed25519Signer();
        signer.init(true, key);
        signer.update(message, 0, message.length);
        return signer.generateSignature();
    }
}
