package org.exomem.migration;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FingerprintTest {
    private static final BigInteger TWO_32 = BigInteger.ONE.shiftLeft(32);
    private static final BigInteger TWO_64 = BigInteger.ONE.shiftLeft(64);

    private static BigInteger unsigned(long value) {
        return new BigInteger(Long.toUnsignedString(value));
    }

    private static List<BigInteger> of(Fingerprint fingerprint, MemorySegment memory, long offset) {
        long[] words = new long[2];
        fingerprint.of(memory, offset, words);
        return List.of(unsigned(words[0]), unsigned(words[1]));
    }

    /** The documented formula, in numbers that don't wrap. */
    private static List<BigInteger> byTheFormula(byte[] seed, MemorySegment page) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("AES/CTR/NoPadding");
        cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(seed, "AES"), new IvParameterSpec(new byte[16]));
        MemorySegment key = MemorySegment.ofArray(cipher.doFinal(new byte[(int) page.byteSize() + 8]));
        List<BigInteger> sums = new ArrayList<>();
        for (int shift = 0; shift < 2; shift++) {
            BigInteger sum = BigInteger.ZERO;
            for (long at = 0; at < page.byteSize(); at += 8) {
                BigInteger m = unsigned(page.get(JAVA_LONG_UNALIGNED, at));
                BigInteger k = unsigned(key.get(JAVA_LONG_UNALIGNED, at + 8L * shift));
                BigInteger low = m.add(k).mod(TWO_32);
                BigInteger high = m.shiftRight(32).add(k.shiftRight(32)).mod(TWO_32);
                sum = sum.add(low.multiply(high));
            }
            sums.add(sum.mod(TWO_64));
        }
        return sums;
    }

    @ParameterizedTest
    @ValueSource(ints = {8, 16, 24, 40, 64, 4096})
    void itIsTheSumsOfTheProducts(int pageSize) throws GeneralSecurityException {
        Random random = new Random(pageSize);
        for (int i = 0; i < 50; i++) {
            byte[] seed = Fingerprint.newSeed();
            byte[] bytes = new byte[2 * pageSize];
            random.nextBytes(bytes);
            MemorySegment memory = MemorySegment.ofArray(bytes);
            assertThat(of(new Fingerprint(seed, pageSize), memory, pageSize))
                    .isEqualTo(byTheFormula(seed, memory.asSlice(pageSize)));
        }
    }

    @Test
    void anyBitOfAPageChangesIt() {
        Fingerprint fingerprint = new Fingerprint(Fingerprint.newSeed(), 4096);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(4096, 8);
            Set<List<BigInteger>> seen = new HashSet<>();
            seen.add(of(fingerprint, page, 0));
            for (int bit = 0; bit < 4096 * 8; bit++) {
                long at = bit / 64 * 8L;
                page.set(JAVA_LONG_UNALIGNED, at, 1L << bit);
                assertThat(seen.add(of(fingerprint, page, 0))).as("bit %s", bit).isTrue();
                page.set(JAVA_LONG_UNALIGNED, at, 0);
            }
        }
    }

    @Test
    void anotherKeyGivesAnotherFingerprint() {
        MemorySegment page = MemorySegment.ofArray(new long[512]);
        assertThat(of(new Fingerprint(Fingerprint.newSeed(), 4096), page, 0))
                .isNotEqualTo(of(new Fingerprint(Fingerprint.newSeed(), 4096), page, 0));
    }

    @Test
    void onlyZerosAreZero() {
        Fingerprint fingerprint = new Fingerprint(Fingerprint.newSeed(), 64);
        long[] words = new long[16];
        MemorySegment memory = MemorySegment.ofArray(words);
        words[7] = 1;
        assertThat(fingerprint.isZero(memory, 64)).isTrue();
        assertThat(fingerprint.isZero(memory, 0)).isFalse();
        words[15] = Long.MIN_VALUE;
        assertThat(fingerprint.isZero(memory, 64)).isFalse();
    }
}
