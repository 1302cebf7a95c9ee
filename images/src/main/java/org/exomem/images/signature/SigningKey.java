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

/** The secret half of a pair of Ed25519 keys, with which images are signed. */
public final class SigningKey {
    /** The file of the secret key in a folder. */
    public static final String SECRET = "template-key.pem";

    /** The file of the key that others check with. */
    public static final String PUBLIC = "template-key.pub";

    private static final String KIND = "PRIVATE KEY";

    private final Ed25519PrivateKeyParameters key;

    private SigningKey(Ed25519PrivateKeyParameters key) {
        this.key = key;
    }

    /**
     * Makes a pair of keys in two new files of a folder, {@link #SECRET} for its owner only and {@link #PUBLIC}.
     *
     * @throws ImageException {@link Fault#EXISTS} if one is there; nothing is changed then
     */
    public static SigningKey make(Path folder) throws IOException {
        for (String file : new String[] {SECRET, PUBLIC}) {
            if (Files.exists(folder.resolve(file))) {
                throw new ImageException(
                        Fault.EXISTS, "there is a key in " + folder.resolve(file) + " already; it is not overwritten");
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
     * @throws IOException if it is not there, none of Ed25519, or can be read or changed by others than its owner
     */
    public static SigningKey read(Path file) throws IOException {
        byte[] encoded = KeyFile.read(file, KIND, true);
        try {
            if (PrivateKeyFactory.createKey(encoded) instanceof Ed25519PrivateKeyParameters key) {
                return new SigningKey(key);
            }
        } catch (IOException | RuntimeException e) {
            // BouncyCastle throws many kinds for bytes that are no key.
            throw new IOException("the key in " + file + " is damaged: " + e.getMessage(), e);
        }
        throw new IOException("the key in " + file + " is none of Ed25519");
    }

    /** The other half. */
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
