package org.exomem.linux.process;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.exomem.linux.process.MappedFiles.Area;

/**
 * Passes lists of mappings to {@link MappedFiles}, with paths that a process may choose, and the same lists with
 * changed characters. A valid list must be read correctly. For any other list the result must be an {@link IOException}
 * with a reason, or mappings that end after their beginning. A list depends only on the seed and its number.
 *
 * <p>Usage: {@code FuzzMappedFiles [LISTS [SEED]]}; exit code 1 for any other result.
 */
final class FuzzMappedFiles {
    private static final int MOST_MAPPINGS = 40;
    private static final int PAGE_BITS = 12;
    /** Paths of the kernel's own mappings, and paths that a process may choose. */
    private static final List<String> PATHS = List.of(
            "",
            "/dev/shm/ram",
            "/memfd:ram (deleted)",
            "[stack]",
            "/a file with  blanks ",
            "/7f0000000000-7f0000001000 rw-s 00000000 00:01 7 /x",
            "/a\r7f0000000000-7f0000001000 rw-s 00000000 00:01 7 /x",
            "/a\\0127f0000000000-7f0000001000 rw-s 00000000 00:01 7 /x",
            "/\u0001\u000b\u000c\u0085\u00a0\u00ff",
            "/" + "long".repeat(1000));

    private final long seed;
    private long refused;

    FuzzMappedFiles(long seed) {
        this.seed = seed;
    }

    public static void main(String[] arguments) {
        long lists = arguments.length > 0 ? Long.parseLong(arguments[0]) : 1_000_000;
        long seed = arguments.length > 1 ? Long.parseLong(arguments[1]) : System.nanoTime();
        FuzzMappedFiles fuzz = new FuzzMappedFiles(seed);
        System.out.println("seed " + seed);
        for (long i = 0; i < lists; i++) {
            try {
                fuzz.list(i);
            } catch (RuntimeException | AssertionError | IOException e) {
                System.out.println("list " + i + " of seed " + seed + ": " + e);
                System.exit(1);
            }
        }
        System.out.println(lists + " lists, " + fuzz.refused + " changed ones refused");
    }

    long refused() {
        return refused;
    }

    /** Parses the list with this number, and then the list with a change. */
    void list(long number) throws IOException {
        SplittableRandom random = new SplittableRandom(seed ^ number * 0x9e3779b97f4a7c15L);
        StringBuilder text = new StringBuilder();
        List<Area> shared = mappings(random, text);
        MappedFiles read = MappedFiles.parse(text.toString());
        if (!read.pieces().equals(shared)) {
            throw new AssertionError(shared + " was taken for " + read.pieces());
        }
        check(read);
        try {
            check(MappedFiles.parse(changed(text, random)));
        } catch (IOException e) {
            refused++;
            if (String.valueOf(e.getMessage()).isBlank()) {
                throw new AssertionError("a refusal without a reason", e);
            }
        }
    }

    private static void check(MappedFiles read) {
        long bytes = 0;
        for (Area piece : read.pieces()) {
            if (Long.compareUnsigned(piece.from(), piece.to()) >= 0) {
                throw new AssertionError(piece + " ends before it begins");
            }
            bytes += piece.length();
        }
        long together = read.areas().stream().mapToLong(Area::length).sum();
        if (together != bytes) {
            throw new AssertionError("areas of " + together + " bytes were made of " + bytes);
        }
    }

    /** Writes a list as the kernel does. Returns the shared mappings. */
    private static List<Area> mappings(SplittableRandom random, StringBuilder into) {
        List<Area> shared = new ArrayList<>();
        long at = 1L << PAGE_BITS;
        for (int i = random.nextInt(MOST_MAPPINGS); i > 0; i--) {
            long from = at + ((long) random.nextInt(3) << PAGE_BITS + random.nextInt(24));
            at = from + (1L + random.nextInt(1000) << PAGE_BITS);
            boolean isShared = random.nextInt(3) != 0;
            Area area = new Area(
                    from,
                    at,
                    random.nextBoolean(),
                    (long) random.nextInt(1000) << PAGE_BITS,
                    String.format("%02x:%02x %d", random.nextInt(300), random.nextInt(300), random.nextInt() >>> 1),
                    PATHS.get(random.nextInt(PATHS.size())));
            String row = String.format(
                    "%08x-%08x r%s%s%s %08x %s ",
                    from,
                    at,
                    area.writable() ? "w" : "-",
                    random.nextBoolean() ? "x" : "-",
                    isShared ? "s" : "p",
                    area.offset(),
                    area.file());
            into.append(area.path().isEmpty() ? row : String.format("%-73s", row) + area.path())
                    .append('\n');
            if (isShared) {
                shared.add(area);
            }
        }
        return shared;
    }

    private static String changed(StringBuilder text, SplittableRandom random) {
        for (int i = random.nextInt(4); i >= 0 && !text.isEmpty(); i--) {
            int at = random.nextInt(text.length());
            switch (random.nextInt(5)) {
                case 0 -> text.setLength(at);
                case 1 -> text.deleteCharAt(at);
                case 2 -> text.insert(at, (char) random.nextInt(256));
                case 3 -> text.insert(at, text.substring(random.nextInt(at + 1), at));
                default -> text.setCharAt(at, " \n-:0fg".charAt(random.nextInt(7)));
            }
        }
        return text.toString();
    }
}
