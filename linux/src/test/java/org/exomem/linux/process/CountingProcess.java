package org.exomem.linux.process;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;

/**
 * A separate program that maps a file privately, has another file open, and counts in each page as fast as it can, in
 * several threads. For each line of input it prints a line with the sum of what the threads have counted outside of the
 * pages. At the end of its input the threads stop, and it prints whether each page has the right count.
 */
final class CountingProcess {
    private static final VarHandle COUNT = ValueLayout.JAVA_LONG.varHandle();
    private static volatile boolean ended;

    private CountingProcess() {}

    /** @param arguments the file that is mapped, the other one, pages, threads */
    public static void main(String[] arguments) throws Exception {
        int pages = Integer.parseInt(arguments[2]);
        int threads = Integer.parseInt(arguments[3]);
        try (FileChannel template = FileChannel.open(Path.of(arguments[0]), READ, WRITE);
                FileChannel own = FileChannel.open(Path.of(arguments[1]), READ, WRITE)) {
            MemorySegment memory = template.map(MapMode.PRIVATE, 0, pages * 4096L, Arena.global());
            long[][] counted = new long[threads][pages];
            Thread[] all = new Thread[threads];
            for (int i = 0; i < threads; i++) {
                int number = i;
                all[i] = Thread.ofPlatform().start(() -> count(memory, number, counted[number]));
            }
            System.out.println(memory.address());
            System.out.flush();
            // The main thread waits in a system call meanwhile.
            while (System.in.read() >= 0) {
                // Whatever it is.
            }
            ended = true;
            for (Thread thread : all) {
                thread.join();
            }
            System.out.println(isRight(memory, counted) && own.isOpen() ? "right" : "wrong");
        }
    }

    private static void count(MemorySegment memory, int number, long[] counted) {
        for (int page = 0; !ended; page = (page + 1) % counted.length) {
            COUNT.getAndAdd(memory, page * 4096L + 8 * number, 1L);
            counted[page]++;
        }
    }

    private static boolean isRight(MemorySegment memory, long[][] counted) throws IOException {
        for (int number = 0; number < counted.length; number++) {
            for (int page = 0; page < counted[number].length; page++) {
                // The template's content in each word.
                long expected = page + counted[number][page];
                if (memory.get(ValueLayout.JAVA_LONG, page * 4096L + 8 * number) != expected) {
                    return false;
                }
            }
        }
        return true;
    }
}
