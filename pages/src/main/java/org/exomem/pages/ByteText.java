package org.exomem.pages;

import java.util.Locale;

/** Sizes for people. */
public final class ByteText {
    private static final String UNITS = "KMGTP";

    private ByteText() {}

    /** A size in the largest unit that leaves at least 1, a power of 1024, with one decimal unless it is exact. */
    public static String of(long bytes) {
        if (bytes < 0) {
            return "-" + (bytes == Long.MIN_VALUE ? of(Long.MAX_VALUE) : of(-bytes));
        }
        int power = 0;
        while (power < UNITS.length() && bytes >> (10 * (power + 1)) > 0) {
            power++;
        }
        if (power == 0) {
            return bytes + " B";
        }
        long unit = 1L << (10 * power);
        String number = bytes % unit == 0
                ? Long.toString(bytes / unit)
                : String.format(Locale.ROOT, "%.1f", bytes / (double) unit);
        return number + " " + UNITS.charAt(power - 1) + "iB";
    }

    /** The same, with the number of bytes behind it where that says more: for a size that is wrong by a little. */
    public static String exactly(long bytes) {
        String text = of(bytes);
        return text.contains(".") ? text + " (" + bytes + " bytes)" : text;
    }
}
