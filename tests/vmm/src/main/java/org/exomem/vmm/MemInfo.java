package org.exomem.vmm;

import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The content of a guest's {@code /proc/meminfo}.
 *
 * @param fields every line that is an amount of memory, in bytes, by its name
 */
public record MemInfo(Map<String, Long> fields) {

    private static final Pattern LINE = Pattern.compile("^(\\S+):\\s+(\\d+) kB$", Pattern.MULTILINE);

    static MemInfo parse(String text) {
        return new MemInfo(LINE.matcher(text)
                .results()
                .collect(Collectors.toUnmodifiableMap(
                        line -> line.group(1), line -> Long.parseLong(line.group(2)) << 10)));
    }

    /** Bytes that the kernel manages, without the pages in the balloon. */
    public long total() {
        return field("MemTotal");
    }

    public long free() {
        return field("MemFree");
    }

    public long available() {
        return field("MemAvailable");
    }

    /** Returns the amount of that name in bytes. */
    public long field(String name) {
        Long bytes = fields.get(name);
        if (bytes == null) {
            throw new IllegalArgumentException("the guest's /proc/meminfo has no line " + name);
        }
        return bytes;
    }
}
