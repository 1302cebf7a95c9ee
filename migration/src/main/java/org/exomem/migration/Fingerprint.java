package org.exomem.migration;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * A keyed hash of a page: 128 bits. Thread-safe.
 *
 * <p>The page is taken as words m<sub>0</sub>, m<sub>1</sub> … of 64 bits, the key as as many words k<sub>0</sub>,
 * k<sub>1</sub> …, and the fingerprint is the sum, modulo 2^128, of the products of 64 by 64 bits
 *
 * <pre>(m[0] + k[0]) * (m[1] + k[1])  +  (m[2] + k[2]) * (m[3] + k[3])  +  …</pre>
 *
 * with the sums in brackets modulo 2^64. This is the function NH of UMAC (Black, Halevi, Krawczyk, Krovetz, Rogaway:
 * "UMAC: Fast and Secure Message Authentication", section 4).
 *
 * <p><b>Why a collision is as rare as 2^-64.</b> Let two different pages differ in word m[0], say (otherwise swap names: the
 * formula is symmetric in the words of a pair, and in the pairs). Fix all words of the key but k[1]. The fingerprints are
 * equal if and only if {@code a * (m[1] + k[1]) - b * (m'[1] + k[1]) = c} modulo 2^128, where a = m[0] + k[0] and
 * b = m'[0] + k[0] are different numbers below 2^64, and c does not depend on k[1]. Suppose two values x and y of k[1]
 * fulfil this and neither sum wraps between them: then (a - b)(x - y) = 0 modulo 2^128, but a - b and x - y are both less
 * than 2^64 in size and not 0, so their product is not 0 either. That the sums wrap at 2^64 does not help: it is the case
 * that the paper's theorem 4.2 treats, with the same result, one value of k[1] of the 2^64. So whoever chooses both pages
 * without knowing the key has a chance of at most 2^-64. A guest learns nothing of the key: fingerprints never leave
 * memory of this process, and the destination gets a key of its own if it gets one.
 *
 * <p>The pages have one size, so there is nothing to pad. The key is as long as a page, made from 32 random bytes by AES in
 * counter mode.
 */
public final class Fingerprint {
    /** Bytes of the seed of a key. */
    public static final int SEED_BYTES = 32;

    private final int pageSize;
    private final long[] key;

    /**
     * @param seed {@link #SEED_BYTES} bytes that nobody can guess
     * @param pageSize bytes in a page, a multiple of 8
     */
    public Fingerprint(byte[] seed, int pageSize) {
        this.pageSize = pageSize;
        // An even number of words: a page of one word is taken as one with a word of zeros behind it.
        this.key = expand(seed, (pageSize / Long.BYTES + 1) & -2);
    }

    /** A new seed. */
    public static byte[] newSeed() {
        byte[] seed = new byte[SEED_BYTES];
        new SecureRandom().nextBytes(seed);
        return seed;
    }

    private static long[] expand(byte[] seed, int words) {
        try {
            Cipher cipher = Cipher.getInstance("AES/CTR/NoPadding");
            cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(seed, "AES"), new IvParameterSpec(new byte[16]));
            MemorySegment bytes = MemorySegment.ofArray(cipher.doFinal(new byte[words * Long.BYTES]));
            long[] expanded = new long[words];
            MemorySegment.copy(bytes, JAVA_LONG_UNALIGNED, 0, expanded, 0, words);
            return expanded;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java platform has AES in counter mode", e);
        }
    }

    /** Bytes in a page. */
    public int pageSize() {
        return pageSize;
    }

    /**
     * Computes the fingerprint of a page. The memory must not change meanwhile.
     *
     * @param memory native memory, or an array of longs
     * @param offset of the page in it, bytes
     * @param into takes two words, the lower half first
     */
    public void of(MemorySegment memory, long offset, long[] into) {
        // Two sums, so that one product need not wait for the carry of the other.
        long low = 0;
        long high = 0;
        long low2 = 0;
        long high2 = 0;
        long[] k = key;
        int words = pageSize / Long.BYTES;
        int i = 0;
        for (; i <= words - 4; i += 4) {
            long at = offset + (long) i * Long.BYTES;
            long a = memory.get(JAVA_LONG_UNALIGNED, at) + k[i];
            long b = memory.get(JAVA_LONG_UNALIGNED, at + 8) + k[i + 1];
            long c = memory.get(JAVA_LONG_UNALIGNED, at + 16) + k[i + 2];
            long d = memory.get(JAVA_LONG_UNALIGNED, at + 24) + k[i + 3];
            long ab = a * b;
            long cd = c * d;
            low += ab;
            low2 += cd;
            high += Math.unsignedMultiplyHigh(a, b) + (Long.compareUnsigned(low, ab) < 0 ? 1 : 0);
            high2 += Math.unsignedMultiplyHigh(c, d) + (Long.compareUnsigned(low2, cd) < 0 ? 1 : 0);
        }
        for (; i < words; i += 2) {
            long at = offset + (long) i * Long.BYTES;
            long a = memory.get(JAVA_LONG_UNALIGNED, at) + k[i];
            long b = (i + 1 < words ? memory.get(JAVA_LONG_UNALIGNED, at + 8) : 0) + k[i + 1];
            long ab = a * b;
            low += ab;
            high += Math.unsignedMultiplyHigh(a, b) + (Long.compareUnsigned(low, ab) < 0 ? 1 : 0);
        }
        low += low2;
        high += high2 + (Long.compareUnsigned(low, low2) < 0 ? 1 : 0);
        into[0] = low;
        into[1] = high;
    }

    /** True if a page holds zeros only. */
    public boolean isZero(MemorySegment memory, long offset) {
        for (long at = offset, end = offset + pageSize; at < end; at += Long.BYTES) {
            if (memory.get(JAVA_LONG_UNALIGNED, at) != 0) {
                return false;
            }
        }
        return true;
    }
}
