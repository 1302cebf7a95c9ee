package org.exomem.linux.process;

import java.io.IOException;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The memory of a process in its mappings of files.
 *
 * @param resident bytes of the mappings that are in memory
 * @param anonymous bytes of these that are private copies: it wrote them in a private mapping
 */
public record MappedMemory(long resident, long anonymous) {
    /** {@code from-to permissions offset device inode path}. */
    private static final Pattern MAPPING =
            Pattern.compile("[0-9a-f]+-[0-9a-f]+ \\S{4} [0-9a-f]+ ([0-9a-f]+:[0-9a-f]+ \\d+).*");

    private static final Pattern NUMBER = Pattern.compile("(\\w+): +(\\d+) kB");
    private static final long KIB = 1024;

    /**
     * Examines a process; takes a moment for each GiB that it has mapped in small pages.
     *
     * @param files in the format of {@link MappedFiles#nameOf}
     * @throws IOException if it has ended, or may not be examined
     */
    public static MappedMemory of(int pid, List<String> files) throws IOException {
        try (ProcessLines lines = ProcessLines.of(Integer.toString(pid), "smaps")) {
            return parse(lines, files);
        }
    }

    static MappedMemory parse(ProcessLines smaps, List<String> files) throws IOException {
        long resident = 0;
        long anonymous = 0;
        boolean counts = false;
        for (String line = smaps.next(); line != null; line = smaps.next()) {
            Matcher mapping = MAPPING.matcher(line);
            if (mapping.matches()) {
                counts = files.contains(mapping.group(1));
                continue;
            }
            Matcher number = NUMBER.matcher(line);
            if (counts && number.matches()) {
                long bytes = Long.parseLong(number.group(2)) * KIB;
                switch (number.group(1)) {
                    case "Rss" -> resident += bytes;
                    case "Anonymous" -> anonymous += bytes;
                    default -> {}
                }
            }
        }
        return new MappedMemory(resident, anonymous);
    }
}
