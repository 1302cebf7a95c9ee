package org.exomem.migration.pagesource;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.exomem.linux.C;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;

/**
 * A program that has files mapped and writes them, like a VMM. It first prints the number of a userfaultfd that it
 * created. Then it obeys one command a line, and prints "done" after each:
 *
 * <pre>
 * map FILE OFFSET LENGTH    the mappings are counted from 0
 * unmap MAPPING
 * again MAPPING FILE OFFSET LENGTH   unmaps, and maps, most likely at the same address
 * write MAPPING OFFSET VALUE         one byte
 * busy MAPPING PAGES        writes the first pages again and again, in no order, until this program ends
 * direct MAPPING OFFSET LENGTH FILE  reads past the page cache; says "done" at once, and "read" when it has
 * another                   userfaultfd; says its number
 * close                     the userfaultfd
 * fork MAPPING OFFSET VALUE has a child, which has the same mappings, write one byte, and stay until this program ends
 * exec                      becomes another program, which has nothing mapped
 * anew                      becomes this program again, which says a number again
 * </pre>
 */
final class MappingProgram {
    private static final long PAGE = 4096;
    private static final int O_DIRECT = 0x4000;
    private static final int SIGNAL_AT_PARENTS_END = 1;
    private static final long SIGKILL = 9;

    private final List<Mapping> mappings = new ArrayList<>();
    private final long userfaultfd;

    private MappingProgram(long userfaultfd) {
        this.userfaultfd = userfaultfd;
    }

    public static void main(String[] arguments) throws IOException {
        long number = userfaultfd();
        MappingProgram program = new MappingProgram(number);
        System.out.println(number);
        try (BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line = commands.readLine(); line != null; line = commands.readLine()) {
                program.obey(line.split(" "));
                System.out.println("done");
            }
        }
    }

    private static long userfaultfd() throws IOException {
        return C.CALL.of((long) Userfaultfd.SYSTEM_CALL, (long) Userfaultfd.FLAGS);
    }

    private void obey(String[] words) throws IOException {
        switch (words[0]) {
            case "map" -> mappings.add(map(words, 1));
            case "unmap" -> mapping(words).close();
            case "again" -> {
                mapping(words).close();
                mappings.set(Integer.parseInt(words[1]), map(words, 2));
            }
            case "write" -> mapping(words).segment().set(JAVA_BYTE, Long.parseLong(words[2]), Byte.parseByte(words[3]));
            case "busy" -> writeAgainAndAgain(mapping(words).segment(), Integer.parseInt(words[2]));
            case "direct" -> readDirectly(mapping(words).segment(), words);
            case "another" -> System.out.println(userfaultfd());
            case "close" -> C.CLOSE.of((int) userfaultfd);
            case "fork" -> fork(mapping(words).segment(), Long.parseLong(words[2]), Byte.parseByte(words[3]));
            case "anew" -> becomeThisAgain();
            case "exec" -> C.EXEC.of("/bin/sleep", "sleep", "1000", C.address(0));
            default -> throw new IOException("unknown command " + words[0]);
        }
    }

    /** When this returns, all pages were written at least once. */
    private static void writeAgainAndAgain(MemorySegment into, int pages) {
        for (long page = 0; page < pages; page++) {
            into.set(JAVA_BYTE, page * PAGE, (byte) 1);
        }
        Thread.ofPlatform().daemon().start(() -> {
            Random random = new Random(1);
            while (true) {
                into.set(JAVA_BYTE, random.nextInt(pages) * PAGE, (byte) 2);
            }
        });
    }

    /**
     * The child has only this thread, without the threads that a JVM needs in the long run: so it must do very little.
     */
    private static void fork(MemorySegment into, long offset, byte value) throws IOException {
        // Loads the code that the child needs.
        C.PRCTL.of(SIGNAL_AT_PARENTS_END, 0L);
        if ((int) C.FORK.of() == 0) {
            C.PRCTL.of(SIGNAL_AT_PARENTS_END, SIGKILL);
            into.set(JAVA_BYTE, offset, value);
            while (true) {
                C.PAUSE.of();
            }
        }
        while (into.get(JAVA_BYTE, offset) != value) {
            Thread.onSpinWait();
        }
    }

    private static void becomeThisAgain() throws IOException {
        List<Object> words = new ArrayList<>(MappingProcess.command());
        words.addFirst(words.getFirst());
        words.add(C.address(0));
        C.EXEC.of(words.toArray());
    }

    private Mapping mapping(String[] words) {
        return mappings.get(Integer.parseInt(words[1]));
    }

    private static Mapping map(String[] words, int from) throws IOException {
        try (SharedFile file = SharedFile.open(Path.of(words[from]))) {
            return Mapping.of(file, Long.parseLong(words[from + 1]), Long.parseLong(words[from + 2]));
        }
    }

    private static void readDirectly(MemorySegment into, String[] words) throws IOException {
        long address = into.address() + Long.parseLong(words[2]);
        long length = Long.parseLong(words[3]);
        long file = C.OPEN.of(words[4], O_DIRECT, 0);
        Thread.ofPlatform().start(() -> {
            try {
                C.PREAD.of((int) file, C.address(address), length, 0L);
                System.out.println("read");
            } catch (IOException e) {
                System.out.println(e.getMessage());
            }
        });
    }
}
