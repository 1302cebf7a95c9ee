package org.exomem.migration.stream.wire.tls;

import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import org.bouncycastle.jcajce.util.DefaultJcaJceHelper;
import org.bouncycastle.tls.crypto.impl.TlsAEADCipherImpl;
import org.bouncycastle.tls.crypto.impl.jcajce.JcaTlsCrypto;

/**
 * The JDK's algorithms for BouncyCastle's TLS. BouncyCastle decrypts records in place. For that the JDK allocates an array of
 * the size of the buffer for each record, and takes three times as long. So this decrypts into an array that is kept.
 */
final class JdkCrypto extends JcaTlsCrypto {
    /**
     * @param keys random numbers for keys
     * @param nonces random numbers that are sent to the peer
     */
    JdkCrypto(SecureRandom keys, SecureRandom nonces) {
        super(new DefaultJcaJceHelper(), keys, nonces);
    }

    @Override
    protected TlsAEADCipherImpl createAEADCipher(String cipherName, String algorithm, int keySize, boolean isEncrypting)
            throws GeneralSecurityException {
        TlsAEADCipherImpl cipher = super.createAEADCipher(cipherName, algorithm, keySize, isEncrypting);
        return isEncrypting ? cipher : new Decrypting(cipher);
    }

    /** For one thread. */
    private static final class Decrypting implements TlsAEADCipherImpl {
        private final TlsAEADCipherImpl cipher;
        private byte[] decrypted = {};

        Decrypting(TlsAEADCipherImpl cipher) {
            this.cipher = cipher;
        }

        @Override
        public void setKey(byte[] key, int offset, int length) throws IOException {
            cipher.setKey(key, offset, length);
        }

        @Override
        public void init(byte[] nonce, int macSize) throws IOException {
            cipher.init(nonce, macSize);
        }

        @Override
        public int getOutputSize(int inputLength) {
            return cipher.getOutputSize(inputLength);
        }

        @Override
        public int doFinal(
                byte[] additional, byte[] input, int inputOffset, int inputLength, byte[] output, int outputOffset)
                throws IOException {
            // The input has the tag too, so this is always large enough.
            if (decrypted.length < inputLength) {
                decrypted = new byte[inputLength];
            }
            int length = cipher.doFinal(additional, input, inputOffset, inputLength, decrypted, 0);
            System.arraycopy(decrypted, 0, output, outputOffset, length);
            return length;
        }
    }
}
