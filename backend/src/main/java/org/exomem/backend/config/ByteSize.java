package org.exomem.backend.config;

import java.math.BigDecimal;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.exomem.pages.ByteText;

/** Sizes in the notation for people. Units are powers of 1024, as in QEMU: {@code 2G}, {@code 512MiB}, {@code 1.5g}. */
public final class ByteSize {
    private static final Pattern FORM = Pattern.compile("(\\d{1,19}(?:\\.\\d{1,9})?) ?([kmgtpKMGTP]?)((?:i?[bB])?)");
    private static final String UNITS = "KMGTP";
    private static final BigDecimal LARGEST = BigDecimal.valueOf(Long.MAX_VALUE);

    private ByteSize() {}

    /**
     * Parses a size in bytes; drops a fraction of a byte.
     *
     * @throws ConfigException if the text is no size, or larger than 2^63 - 1 bytes
     */
    public static long parse(String text) throws ConfigException {
        Matcher form = FORM.matcher(text);
        if (!form.matches()) {
            throw new ConfigException("\"" + text + "\" is not a size; write it like 512M, 2G or 1.5GiB");
        }
        String unit = form.group(2).toUpperCase(Locale.ROOT);
        if (!unit.isEmpty() && form.group(3).equalsIgnoreCase("b")) {
            throw new ConfigException("\"" + text + "\" could mean powers of 1000 or of 1024; write " + form.group(1)
                    + unit + " or " + form.group(1) + unit + "iB for powers of 1024");
        }
        int power = unit.isEmpty() ? 0 : UNITS.indexOf(unit) + 1;
        BigDecimal bytes = new BigDecimal(form.group(1)).multiply(BigDecimal.valueOf(1L << (10 * power)));
        if (bytes.compareTo(LARGEST) > 0) {
            throw new ConfigException("\"" + text + "\" is too large for a size of memory");
        }
        return bytes.longValue();
    }

    /** Formats a size: the largest unit that gives at least 1, with one decimal unless it is exact. */
    public static String format(long bytes) {
        return ByteText.of(bytes);
    }
}
