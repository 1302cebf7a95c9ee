package org.exomem.migration.stream.wire.tls;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.bouncycastle.tls.crypto.CryptoHashAlgorithm;
import org.bouncycastle.tls.crypto.TlsSecret;

/**
 * The keys of one direction of a connection, as RFC 8446 derives them (sections 7.1 to 7.3, suite TLS_AES_128_GCM_SHA256), and
 * the cipher that uses them. For one thread.
 */
final class TrafficKeys {
    /** Bytes by which a record grows. */
    static final int TAG = 16;

    private static final int KEY = 16;
    private static final int IV = 12;
    private static final int SECRET = 32;

    private final int mode;
    private final Cipher cipher;
    private final byte[] nonce = new byte[IV];
    private TlsSecret secret;
    private SecretKeySpec key;
    private byte[] iv;
    private long sequence;

    /**
     * @param secret the traffic secret of the direction
     * @param mode {@link Cipher#ENCRYPT_MODE} or {@link Cipher#DECRYPT_MODE}
     */
    TrafficKeys(TlsSecret secret, int mode) {
        this.mode = mode;
        this.secret = secret;
        this.key = key(secret);
        this.iv = expand(secret, "iv", IV).extract();
        try {
            this.cipher = Cipher.getInstance("AES/GCM/NoPadding");
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java has AES in GCM mode", e);
        }
    }

    private static SecretKeySpec key(TlsSecret secret) {
        return new SecretKeySpec(expand(secret, "key", KEY).extract(), "AES");
    }

    /** HKDF-Expand-Label with an empty context. */
    private static TlsSecret expand(TlsSecret secret, String label, int length) {
        byte[] name = ("tls13 " + label).getBytes(StandardCharsets.US_ASCII);
        byte[] info = ByteBuffer.allocate(Short.BYTES + 1 + name.length + 1)
                .putShort((short) length)
                .put((byte) name.length)
                .put(name)
                .put((byte) 0)
                .array();
        return secret.hkdfExpand(CryptoHashAlgorithm.sha256, info, length);
    }

    /** The records since the keys were made. */
    long records() {
        return sequence;
    }

    /** Goes on to the next keys (section 7.2). */
    void update() {
        secret = expand(secret, "traffic upd", SECRET);
        key = key(secret);
        iv = expand(secret, "iv", IV).extract();
        sequence = 0;
    }

    /**
     * Encrypts or decrypts the next record.
     *
     * @param header where the record's 5 bytes of header are in {@code from}
     * @param length of what is encrypted or decrypted, which comes after the header; with the tag when it is decrypted
     * @param to for encryption the same array and place as from: what comes out takes the place of what went in
     * @return the bytes that came out
     * @throws GeneralSecurityException if a record that is decrypted was changed, or is not the next one
     */
    int apply(byte[] from, int header, int length, byte[] to, int at) throws GeneralSecurityException {
        for (int i = 0; i < IV; i++) {
            int shift = Byte.SIZE * (IV - 1 - i);
            nonce[i] = (byte) (iv[i] ^ (shift < Long.SIZE ? (int) (sequence >>> shift) : 0));
        }
        sequence++;
        cipher.init(mode, key, new GCMParameterSpec(Byte.SIZE * TAG, nonce));
        cipher.updateAAD(from, header, PskWire.HEADER);
        return cipher.doFinal(from, header + PskWire.HEADER, length, to, at);
    }
}
