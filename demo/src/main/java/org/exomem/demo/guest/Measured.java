package org.exomem.demo.guest;

import java.util.LinkedHashMap;
import java.util.Map;

/** The result of a step: numbers for programs, a sentence for people. */
final class Measured {
    private static final long MIB = 1 << 20;

    private final Map<String, Object> values = new LinkedHashMap<>();
    private String text = "";

    Measured with(String key, long value) {
        values.put(key, value);
        return this;
    }

    Measured hex(String key, long value) {
        values.put(key, "0x" + Long.toHexString(value));
        return this;
    }

    Measured say(String sentence) {
        text = sentence;
        return this;
    }

    /** Bytes as text for people. */
    static String mib(long bytes) {
        return bytes % MIB == 0 ? bytes / MIB + " MiB" : String.format("%.1f MiB", (double) bytes / MIB);
    }

    /** Nanoseconds as text in milliseconds. */
    static String millis(long nanos) {
        return String.format("%.1f ms", nanos / 1e6);
    }

    @Override
    public String toString() {
        StringBuilder line = new StringBuilder();
        values.forEach(
                (key, value) -> line.append(key).append('=').append(value).append(' '));
        return line.append("| ").append(text).toString();
    }
}
