package org.exomem.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.exomem.backend.state.MemoryStateFile;
import org.exomem.backend.state.StateDirectory;
import org.exomem.benchmarks.micro.BlockMapBenchmark;
import org.exomem.mem.KeptBlocks;
import org.exomem.mem.MemoryRegionPlan;
import org.openjdk.jmh.results.RunResult;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** The cost of recording for each block of a region of 4 TiB whether it is plugged, and of reading that. */
@Command(
        name = "block-map",
        mixinStandardHelpOptions = true,
        description = "Memory of the block map of 4 TiB, and the time of a state query with JMH.")
final class BlockMapCost extends Benchmark {
    private static final double WANTED_KB = 1000;
    private static final double WANTED_NANOS = 1000;
    private static final long BLOCK = 2L << 20;
    /** The number of maps: enough to make other changes of the heap negligible. */
    private static final int MAPS = 16;

    @Mixin
    private JmhRun jmh = new JmhRun();

    @Override
    List<Figure> measure() throws IOException {
        List<Figure> figures = new ArrayList<>(memory());
        figures.addAll(time());
        return figures;
    }

    private static List<Figure> memory() throws IOException {
        MemoryRegionPlan plan = new MemoryRegionPlan(0, BlockMapBenchmark.BLOCKS * BLOCK, BLOCK, OptionalInt.empty());
        List<KeptBlocks> unkept = new ArrayList<>();
        long before = usedHeap();
        for (int i = 0; i < MAPS; i++) {
            unkept.add(KeptBlocks.ofHeap(plan));
        }
        double heap = (usedHeap() - before) / (1e3 * unkept.size());
        return List.of(
                Figure.of("block map of 4 TiB, heap", heap, "kB").atMost(WANTED_KB),
                Figure.of("block map of 4 TiB, heap and state file", inFile(plan), "kB")
                        .atMost(WANTED_KB));
    }

    /** The heap of a map whose state file is mapped, and the whole file, in bytes. */
    private static double inFile(MemoryRegionPlan plan) throws IOException {
        Path folder = Files.createTempDirectory("exomem-benchmark");
        StateDirectory directory = new StateDirectory(folder);
        List<MemoryStateFile> files = new ArrayList<>();
        try {
            files.add(directory.memory("first", "m0", plan));
            long before = usedHeap();
            for (int i = 0; i < MAPS; i++) {
                files.add(directory.memory("vm" + i, "m0", plan));
            }
            double heap = (usedHeap() - before) / (1e3 * MAPS);
            try (Stream<Path> made = Files.list(folder)) {
                return heap
                        + made.mapToLong(file -> file.toFile().length()).max().orElseThrow() / 1e3;
            }
        } finally {
            files.forEach(MemoryStateFile::close);
            try (Stream<Path> made = Files.list(folder)) {
                for (Path file : made.toList()) {
                    Files.delete(file);
                }
            }
            Files.delete(folder);
        }
    }

    private static long usedHeap() {
        Runtime runtime = Runtime.getRuntime();
        System.gc();
        return runtime.totalMemory() - runtime.freeMemory();
    }

    private List<Figure> time() {
        TreeMap<Long, Double> passes = new TreeMap<>();
        List<RunResult> queries = new ArrayList<>();
        for (RunResult result : jmh.of(List.of("BlockMapBenchmark.*"))) {
            if (JmhRun.nameOf(result).endsWith(".pass")) {
                passes.merge(blocks(result), result.getPrimaryResult().getScore(), Math::min);
            } else {
                queries.add(result);
            }
        }
        List<Figure> figures = new ArrayList<>();
        passes.forEach((blocks, nanos) ->
                figures.add(Figure.of("a bare loop over the words of " + blocks + " blocks", nanos, "ns")));
        for (RunResult query : queries) {
            double nanos = query.getPrimaryResult().getScore();
            String what = blocks(query) + " blocks, " + query.getParams().getParam("place");
            figures.add(Figure.of("state of " + what, nanos, "ns"));
            figures.add(Figure.of(
                            "  in addition to a bare loop",
                            Math.max(0, nanos - passes.getOrDefault(blocks(query), 0.0)),
                            "ns")
                    .atMost(WANTED_NANOS));
        }
        return figures;
    }

    private static long blocks(RunResult result) {
        return Long.parseLong(result.getParams().getParam("blocks"));
    }
}
