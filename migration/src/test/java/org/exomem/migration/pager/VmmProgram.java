package org.exomem.migration.pager;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.exomem.linux.C;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;

/**
 * A program that has a file mapped like a VMM its guest's memory. It first prints the number of a userfaultfd that it
 * created, and then obeys one command a line:
 *
 * <pre>
 * read PAGE             says the first and the last number in the page
 * write PAGE VALUE      the first number in the page; says "done"
 * sum FIRST COUNT STEP  touches every so manieth page; says the sum of their first numbers
 * split FIRST COUNT     has these pages be another mapping than their neighbours; says 0
 * close                 the userfaultfd; says nothing: it is told so beside what it is asked
 * </pre>
 */
final class VmmProgram {
    private static final long PAGE = 4096;
    private static final long MADVISE = 28;
    /** Other memory of exomem is excluded from core dumps. */
    private static final long DODUMP = 17;

    private VmmProgram() {}

    /** @param arguments the file */
    public static void main(String[] arguments) throws IOException {
        try (SharedFile file = SharedFile.open(Path.of(arguments[0]));
                Mapping mapping = Mapping.of(file, 0, file.size());
                BufferedReader commands =
                        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            long userfaultfd = C.CALL.of((long) Userfaultfd.SYSTEM_CALL, (long) Userfaultfd.FLAGS);
            System.out.println(userfaultfd);
            for (String line = commands.readLine(); line != null; line = commands.readLine()) {
                if (line.equals("close")) {
                    C.CLOSE.of((int) userfaultfd);
                } else {
                    System.out.println(obey(line.split(" "), mapping.segment()));
                }
            }
        }
    }

    private static Object obey(String[] words, MemorySegment memory) throws IOException {
        switch (words[0]) {
            case "read" -> {
                long at = Long.parseLong(words[1]) * PAGE;
                return memory.get(JAVA_LONG, at) + " " + memory.get(JAVA_LONG, at + PAGE - Long.BYTES);
            }
            case "write" -> {
                memory.set(JAVA_LONG, Long.parseLong(words[1]) * PAGE, Long.parseLong(words[2]));
                return "done";
            }
            case "sum" -> {
                long sum = 0;
                long end = Long.parseLong(words[1]) + Long.parseLong(words[2]);
                for (long page = Long.parseLong(words[1]); page < end; page += Long.parseLong(words[3])) {
                    sum += memory.get(JAVA_LONG, page * PAGE);
                }
                return sum;
            }
            case "split" -> {
                return C.CALL.of(
                        MADVISE,
                        memory.address() + Long.parseLong(words[1]) * PAGE,
                        Long.parseLong(words[2]) * PAGE,
                        DODUMP);
            }
            default -> throw new IOException("unknown command " + words[0]);
        }
    }
}
