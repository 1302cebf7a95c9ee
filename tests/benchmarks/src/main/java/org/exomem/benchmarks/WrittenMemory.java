package org.exomem.benchmarks;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;

/** A process that has memory mapped, and writes it on request. {@link WatchCost} watches it. */
final class WrittenMemory {
    private WrittenMemory() {}

    /** Answers {@code pid}; {@code touch}: writes each page; {@code write N}: writes N pages, evenly spread. */
    public static void main(String[] arguments) throws IOException {
        SharedFile file = new SharedFile(ChildJvm.descriptors(arguments).getFirst());
        MemorySegment memory = Mapping.of(file, 0, file.size()).segment();
        long pages = file.size() / SharedFile.SMALL_PAGE;
        ChildJvm.serve(question -> {
            String[] words = question.split(" ");
            switch (words[0]) {
                case "touch" -> write(memory, pages, pages);
                case "write" -> write(memory, pages, Long.parseLong(words[1]));
                default -> {}
            }
            return Long.toString(ProcessHandle.current().pid());
        });
    }

    private static void write(MemorySegment memory, long pages, long count) {
        for (long i = 0; i < count; i++) {
            long at = i * pages / count * SharedFile.SMALL_PAGE;
            memory.set(ValueLayout.JAVA_LONG, at, memory.get(ValueLayout.JAVA_LONG, at) + 1);
        }
    }
}
