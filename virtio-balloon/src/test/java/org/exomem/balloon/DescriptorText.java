package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.exomem.pages.PageDescriptors;
import org.exomem.pages.PageDescriptors.Guard;
import org.exomem.pages.PageDescriptors.Range;

/** A message of page descriptors as a driver writes it, in which a test can make every field wrong. */
final class DescriptorText {
    private static final long START = 1L << 32;
    private static final BigInteger END = BigInteger.TWO.pow(64);

    int pageShift = 12;
    int mostOrder = 10;
    int stride = 64;
    int markOffset = 48;
    int orderOffset = 40;
    int markMask = 0xff00_0000;
    int markValue = 0xf000_0000;
    List<Guard> guards = List.of(new Guard(START + 256, -1, 0));
    List<Range> ranges = List.of(new Range(START, 1 << 18, 2 * START, 1));
    /** The message's counts of guards and ranges, if they should differ from the real ones. */
    int guardCount = -1;

    int rangeCount = -2;
    /** The number of bytes that are sent, if not all. */
    int length = Integer.MAX_VALUE;

    /** As Linux on x86 might have it. */
    static DescriptorText sensible() {
        return new DescriptorText();
    }

    static DescriptorText ofRanges(int count) {
        DescriptorText message = new DescriptorText();
        message.ranges = IntStream.range(0, count)
                .mapToObj(n -> new Range(START + n * 4096L, n, 2 * START + 64L * n, 1))
                .toList();
        return message;
    }

    byte[] bytes() {
        ByteBuffer bytes = ByteBuffer.allocate(32 + 16 * guards.size() + 32 * ranges.size())
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(0)
                .putShort((short) 1)
                .putShort((short) 0)
                .put((byte) pageShift)
                .put((byte) mostOrder)
                .putShort((short) stride)
                .putShort((short) markOffset)
                .putShort((short) orderOffset)
                .putInt(markMask)
                .putInt(markValue)
                .putShort((short) (guardCount == -1 ? guards.size() : guardCount))
                .putShort((short) 0)
                .putInt(rangeCount == -2 ? ranges.size() : rangeCount);
        for (Guard guard : guards) {
            bytes.putLong(guard.address()).putInt(guard.mask()).putInt(guard.value());
        }
        for (Range range : ranges) {
            bytes.putLong(range.address())
                    .putLong(range.pages())
                    .putLong(range.descriptors())
                    .putInt(range.guards())
                    .putInt(0);
        }
        byte[] sent = new byte[Math.min(length, bytes.position())];
        bytes.get(0, sent);
        return sent;
    }

    PageDescriptors expected() {
        return new PageDescriptors(
                pageShift, mostOrder, stride, markOffset, orderOffset, markMask, markValue, guards, ranges);
    }

    /** Arbitrary bytes, or a message in which nothing or a little is wrong. */
    static byte[] random(Random random) {
        if (random.nextInt(8) == 0) {
            byte[] bytes = new byte[1 + random.nextInt(400)];
            random.nextBytes(bytes);
            if (bytes.length > 6) {
                bytes[4] = 1;
                bytes[5] = 0;
            }
            return bytes;
        }
        DescriptorText message = new DescriptorText();
        message.pageShift = 12 + random.nextInt(19);
        message.mostOrder = random.nextInt(31);
        message.stride = 4 + random.nextInt(4093);
        message.markOffset = random.nextInt(message.stride - 3);
        message.orderOffset = random.nextInt(message.stride - 3);
        message.markMask = random.nextInt() | 1;
        message.markValue = random.nextInt();
        message.guards = new ArrayList<>();
        for (int i = random.nextInt(32); i >= 0; i--) {
            message.guards.add(new Guard(address(random), random.nextInt(), random.nextInt()));
        }
        message.ranges = new ArrayList<>();
        for (int i = random.nextInt(4); i > 0; i--) {
            message.ranges.add(new Range(
                    address(random) >>> message.pageShift << message.pageShift,
                    random.nextInt(1 << 20),
                    address(random),
                    1 << random.nextInt(message.guards.size())));
        }
        byte[] bytes = message.bytes();
        if (random.nextBoolean()) {
            bytes[8 + random.nextInt(bytes.length - 8)] = (byte) random.nextInt();
        }
        return random.nextInt(16) == 0 ? Arrays.copyOf(bytes, 1 + random.nextInt(bytes.length)) : bytes;
    }

    private static long address(Random random) {
        return switch (random.nextInt(8)) {
            case 0 -> random.nextLong();
            case 1 -> -1L << random.nextInt(40);
            default -> START + random.nextInt();
        };
    }

    /** Checks FPB-DESC-7, with unbounded numbers. */
    static void requireWellFormed(PageDescriptors told) {
        assertThat(told.pageShift()).isBetween(12, 30);
        assertThat(told.mostOrder()).isBetween(0, 30);
        assertThat(told.stride()).isBetween(4, 4096);
        assertThat(told.markOffset()).isBetween(0, told.stride() - 4);
        assertThat(told.orderOffset()).isBetween(0, told.stride() - 4);
        assertThat(told.markMask()).isNotZero();
        assertThat(told.guards()).hasSizeBetween(1, 32);
        for (Range range : told.ranges()) {
            BigInteger pages = unsigned(range.pages());
            assertThat(range.address() & (1L << told.pageShift()) - 1).isZero();
            assertThat(unsigned(range.address()).add(pages.shiftLeft(told.pageShift())))
                    .isLessThanOrEqualTo(END);
            assertThat(unsigned(range.descriptors()).add(pages.multiply(BigInteger.valueOf(told.stride()))))
                    .isLessThanOrEqualTo(END);
            assertThat(range.guards()).isNotZero();
            assertThat(Integer.toUnsignedLong(range.guards()) >>> told.guards().size())
                    .isZero();
        }
    }

    private static BigInteger unsigned(long number) {
        return new BigInteger(Long.toUnsignedString(number));
    }
}
