package org.exomem.benchmarks;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.migration.stream.destination.FilePages;
import org.exomem.migration.stream.format.MemoryDescription;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Dense memory that arrives at the destination of a migration: the cost of storing it, and of the VMM's first touches
 * afterwards.
 */
@Command(
        name = "huge-pages",
        mixinStandardHelpOptions = true,
        description =
                "Memory that arrives at a destination, in small and in huge pages. Needs root, for a file system with"
                        + " huge pages.")
final class HugePagesCost extends Benchmark {
    private static final int CHUNK = 1 << 18;

    @Option(names = "--memory", paramLabel = "MIB", description = "Memory that arrives. Default: ${DEFAULT-VALUE}")
    private long memory = 1024;

    @Option(names = "--rounds", description = "Rounds of both, alternating. Default: ${DEFAULT-VALUE}")
    private int rounds = 9;

    /** Both in seconds. */
    private record Run(double stored, double touched) {}

    @Override
    List<Figure> measure() throws IOException {
        List<Run> small = new ArrayList<>();
        List<Run> huge = new ArrayList<>();
        try (MountedMemory never = MountedMemory.mount("huge=never");
                MountedMemory advise = MountedMemory.mount("huge=advise")) {
            for (int round = 0; round < rounds; round++) {
                small.add(run(never.folder()));
                huge.add(run(advise.folder()));
                say("  small pages: " + small.getLast() + ", huge pages: " + huge.getLast());
            }
        }
        return List.of(
                Figure.of("small pages: " + memory + " MiB stored", stored(small), "s"),
                Figure.of("huge pages: " + memory + " MiB stored", stored(huge), "s"),
                Figure.of("stored, huge / small", stored(huge) / stored(small), "")
                        .atMost(1.0),
                Figure.of("small pages: first touched by another mapping", touched(small), "s"),
                Figure.of("huge pages: first touched by another mapping", touched(huge), "s"));
    }

    private static double stored(List<Run> runs) {
        return Median.of(runs.stream().map(Run::stored).toList());
    }

    private static double touched(List<Run> runs) {
        return Median.of(runs.stream().map(Run::touched).toList());
    }

    /** The second run counts: the host then has pages of this size (see {@link WarmMemory}). */
    private Run run(Path folder) throws IOException {
        store(folder);
        return store(folder);
    }

    private Run store(Path folder) throws IOException {
        long size = memory << 20;
        Path path = folder.resolve("ram");
        try (Arena arena = Arena.ofConfined();
                SharedFile file = SharedFile.create(path, size)) {
            MemorySegment chunk = arena.allocate(CHUNK);
            chunk.fill((byte) 1);
            int page = (int) SharedFile.SMALL_PAGE;
            MemoryDescription description =
                    new MemoryDescription(page, List.of(new MemoryDescription.MemoryFile("ram", size, page)));
            long start = System.nanoTime();
            try (FilePages pages = new FilePages(description, List.of(file))) {
                for (long at = 0; at < size; at += CHUNK) {
                    pages.pages(at / page, chunk);
                }
            }
            long stored = System.nanoTime();
            try (Mapping mapping = Mapping.of(file, 0, size)) {
                mapping.preferHugePages();
                for (long at = 0; at < size; at += page) {
                    mapping.segment().set(JAVA_LONG, at, at);
                }
            }
            return new Run((stored - start) / 1e9, (System.nanoTime() - stored) / 1e9);
        } finally {
            Files.delete(path);
        }
    }
}
