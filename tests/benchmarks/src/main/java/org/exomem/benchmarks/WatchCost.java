package org.exomem.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.process.ForeignUserfaultfd;
import org.exomem.linux.process.ProcessFd;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pagesource.WatchedWrites;
import org.exomem.pages.PageBits;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What it costs to watch the memory of another process for writes: to attach, to begin, and a sync. */
@Command(
        name = "watch",
        mixinStandardHelpOptions = true,
        description = "Watching another process's memory: how long its thread stands still, and what a sync takes.")
final class WatchCost extends Benchmark {
    private static final double WANTED_STOP_MILLIS = 10;
    private static final double WANTED_SYNC_MILLIS = 10;
    private static final int ATTACHES = 50;

    @Option(names = "--memory", paramLabel = "MIB", description = "Memory that is watched. Default: ${DEFAULT-VALUE}")
    private long memory = 8192;

    @Option(names = "--rounds", description = "Syncs of each kind. Default: ${DEFAULT-VALUE}")
    private int rounds = 20;

    @Override
    List<Figure> measure() throws IOException {
        long bytes = memory << 20;
        List<Figure> figures = new ArrayList<>();
        try (SharedFile file = SharedFile.memfd("watched", bytes);
                ChildJvm child = ChildJvm.startBelowShell(WrittenMemory.class, List.of(file.fd()));
                MemoryImage image = new MemoryImage(
                        List.of(new ImageFile("ram", new SharedFile(file.fd().duplicate()))))) {
            int pid = Integer.parseInt(ask(child, "pid"));
            ask(child, "touch");
            figures.addAll(attach(pid));
            long start = System.nanoTime();
            try (WatchedWrites watch = begin(pid, image)) {
                figures.add(Figure.of("begin to watch " + memory + " MiB, all touched", millisSince(start), "ms"));
                figures.add(sync(watch, child, 0).atMost(WANTED_SYNC_MILLIS));
                figures.add(sync(watch, child, image.pages() / 100));
            }
        }
        return figures;
    }

    private static String ask(ChildJvm child, String question) throws IOException {
        child.tell(question);
        return child.answer();
    }

    private static List<Figure> attach(int pid) throws IOException {
        List<Double> stopped = new ArrayList<>();
        for (int i = 0; i < ATTACHES; i++) {
            try (ProcessFd process = ProcessFd.open(pid)) {
                ForeignUserfaultfd.Fetched fetched = ForeignUserfaultfd.fetch(process);
                fetched.fd().close();
                stopped.add(fetched.stopped().toNanos() / 1e6);
            }
        }
        return List.of(
                Figure.of("the process's thread stands still, median of " + ATTACHES, Median.of(stopped), "ms"),
                Figure.of(
                                "  the longest",
                                stopped.stream()
                                        .mapToDouble(Double::doubleValue)
                                        .max()
                                        .orElseThrow(),
                                "ms")
                        .atMost(WANTED_STOP_MILLIS));
    }

    private static WatchedWrites begin(int pid, MemoryImage image) throws IOException {
        try (ProcessFd process = ProcessFd.open(pid)) {
            Userfaultfd userfaultfd =
                    Userfaultfd.of(ForeignUserfaultfd.fetch(process).fd(), WatchedWrites.FEATURES);
            return WatchedWrites.begin(pid, userfaultfd, image, false, less -> {
                throw new IllegalStateException(less);
            });
        }
    }

    /** After the process has written so many pages, each in another place. */
    private Figure sync(WatchedWrites watch, ChildJvm child, long written) throws IOException {
        PageBits found = new PageBits((memory << 20) / SharedFile.SMALL_PAGE);
        List<Double> millis = new ArrayList<>();
        for (int round = -2; round < rounds; round++) {
            ask(child, "write " + written);
            found.clear();
            long start = System.nanoTime();
            watch.sync(found);
            if (round >= 0) {
                millis.add(millisSince(start));
            }
            if (found.count() < written) {
                throw new IOException(found.count() + " of " + written + " written pages were told");
            }
        }
        return Figure.of("a sync, " + written + " pages written", Median.of(millis), "ms");
    }

    private static double millisSince(long start) {
        return (System.nanoTime() - start) / 1e6;
    }
}
