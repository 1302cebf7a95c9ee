package org.exomem.migration;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * A keyed hash of a page: 128 bits, as two sums of 64 bits. For one thread; {@link #forAnotherThread} gives the same
 * function to another.
 *
 * <p>The page is words of 64 bits, each a pair (l, h) of halves; so is the key, with one word more. With the halves of key
 * word i being p[i] and q[i], the sums are, modulo 2^64 and with the sums in brackets modulo 2^32,
 *
 * <pre>
 * S = (l[0] + p[0]) * (h[0] + q[0])  +  (l[1] + p[1]) * (h[1] + q[1])  +  …
 * T = (l[0] + p[1]) * (h[0] + q[1])  +  (l[1] + p[2]) * (h[1] + q[2])  +  …
 * </pre>
 *
 * This is NH of UMAC in its Toeplitz form with two passes (Black, Halevi, Krawczyk, Krovetz, Rogaway: "UMAC: Fast and
 * Secure Message Authentication", section 4): loops of products of 32 by 32 bits, which the compiler turns into vectors.
 *
 * <p><b>Why a collision is at most as likely as 2^-64</b> for whoever chooses two different pages without knowing the key.
 *
 * <p>One product: let a and a' be different numbers below 2^32, d and c any numbers, b run through the numbers below 2^32, and
 * b' be b + d modulo 2^32. Then a * b - a' * b' = c modulo 2^64 for at most one b. For if two fulfil it, b and b + e with e
 * above 0, then their b' have either the same distance e, and (a - a') * e is 0 modulo 2^64, which it is not, being less than
 * 2^64 in size and not 0; or one has wrapped, and (a' - a) * e is a' * 2^32 modulo 2^64. If a' is larger than a, the left side
 * is positive and less than a' * 2^32, because e is below 2^32; if it is smaller, the left side is negative and larger than
 * a' * 2^32 - 2^64, because a - a' is less than 2^32 - a'. Neither can be.
 *
 * <p>The sums: let i be the last word in which the pages differ, in its lower half, say (the formula is the same for the
 * upper one). Behind i all products are equal and drop out of the difference of the two pages' sums. What is left of S has
 * key words up to i, and of T up to i + 1. Whatever the key words before i, and p[i], are: the difference of S is 0 for at most one
 * of the 2^32 values of q[i], by the above, because l[i] + p[i] is different in the two pages. Whatever then the key words up to i,
 * and p[i + 1], are: the difference of T is 0 for at most one value of q[i + 1]. So both are 0 in one case of 2^64.
 *
 * <p>A guest learns nothing of the key: neither it nor fingerprints leave the memory of this process. All pages have one size,
 * so there is nothing to pad. The key is made from 32 random bytes by AES in counter mode.
 */
public final class Fingerprint {
    /** Bytes of the seed of a key. */
    public static final int SEED_BYTES = 32;

    private static final long HALF = 0xffffffffL;

    private final int words;
    private final long[] key;
    private final long[] page;
    private final MemorySegment zeros;

    /**
     * @param seed {@link #SEED_BYTES} bytes that can't be guessed
     * @param pageSize bytes in a page, a multiple of 8
     */
    public Fingerprint(byte[] seed, int pageSize) {
        this(expand(seed, pageSize / Long.BYTES + 1));
    }

    private Fingerprint(long[] key) {
        this.words = key.length - 1;
        this.key = key;
        this.page = new long[words];
        this.zeros = MemorySegment.ofArray(new long[words]);
    }

    /** Returns the same function for use by another thread. */
    public Fingerprint forAnotherThread() {
        return new Fingerprint(key);
    }

    /** Returns a new random seed. */
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

    /**
     * Computes the fingerprint of a page.
     *
     * @param memory that has the page; must not change meanwhile
     * @param offset of the page in {@code memory}, in bytes
     * @param into receives the two sums
     */
    public void of(MemorySegment memory, long offset, long[] into) {
        // Copied into an array first: the compiler vectorises loops over arrays only, which more than pays for the
        // copy.
        MemorySegment.copy(memory, JAVA_LONG_UNALIGNED, offset, page, 0, words);
        into[0] = sum(page, key, 0);
        into[1] = sum(page, key, 1);
    }

    /** One sum per loop, because a loop with two sums is not vectorised. */
    private static long sum(long[] page, long[] key, int shift) {
        long sum = 0;
        for (int i = 0; i < page.length; i++) {
            long m = page[i];
            long k = key[i + shift];
            sum += (m + k & HALF) * ((m >>> 32) + (k >>> 32) & HALF);
        }
        return sum;
    }

    /** True if a page is zeros. Reads only one word of most other pages. */
    public boolean isZero(MemorySegment memory, long offset) {
        return memory.get(JAVA_LONG_UNALIGNED, offset) == 0
                && MemorySegment.mismatch(memory, offset, offset + zeros.byteSize(), zeros, 0, zeros.byteSize()) < 0;
    }
}
