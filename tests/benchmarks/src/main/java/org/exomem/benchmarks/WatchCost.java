package org.exomem.benchmarks;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.process.ForeignUserfaultfd;
import org.exomem.linux.process.ProcessFd;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pagesource.HoleSource;
import org.exomem.migration.pagesource.WatchedWrites;
import org.exomem.pages.PageBits;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The cost of watching the memory of another process for writes: to attach, to begin, and to sync. */
@Command(
        name = "watch",
        mixinStandardHelpOptions = true,
        description = "Watching another process's memory: how long its thread is stopped, and the time of a sync.")
final class WatchCost extends Benchmark {
    private static final double WANTED_STOP_MILLIS = 10;
    private static final double WANTED_SYNC_MILLIS = 10;
    private static final int ATTACHES = 50;
    /** MiB; the time of a scan grows with the memory. */
    private static final long SMALL = 1024;
    /** Seconds, as in the examples of the documentation. */
    private static final int INTERVAL = 5;

    @Option(names = "--memory", paramLabel = "MIB", description = "Watched memory. Default: ${DEFAULT-VALUE}")
    private long memory = 8192;

    @Option(names = "--rounds", description = "Syncs of each kind. Default: ${DEFAULT-VALUE}")
    private int rounds = 20;

    @Override
    List<Figure> measure() throws IOException {
        List<Figure> figures = new ArrayList<>();
        try (WatchedProcess process = WatchedProcess.start(memory << 20)) {
            figures.addAll(attach(process.pid));
            long start = System.nanoTime();
            try (WatchedWrites watch = process.watch(false)) {
                figures.add(
                        Figure.of("start of the watch of " + memory + " MiB, all touched", millisSince(start), "ms"));
                figures.add(sync(watch, process, 0).atMost(WANTED_SYNC_MILLIS));
                figures.add(sync(watch, process, process.image.pages() / 100));
            }
            figures.addAll(active(process, memory));
        }
        if (memory > SMALL) {
            try (WatchedProcess process = WatchedProcess.start(SMALL << 20)) {
                figures.addAll(active(process, SMALL));
            }
        }
        return figures;
    }

    /** A process all of whose memory is touched. */
    private record WatchedProcess(SharedFile file, ChildJvm child, MemoryImage image, int pid)
            implements AutoCloseable {
        static WatchedProcess start(long bytes) throws IOException {
            SharedFile file = SharedFile.memfd("watched", bytes);
            ChildJvm child = ChildJvm.startBelowShell(WrittenMemory.class, List.of(file.fd()));
            MemoryImage image = new MemoryImage(
                    List.of(new ImageFile("ram", new SharedFile(file.fd().duplicate()))));
            WatchedProcess started = new WatchedProcess(file, child, image, Integer.parseInt(ask(child, "pid")));
            ask(child, "touch");
            return started;
        }

        void write(long pages) throws IOException {
            ask(child, "write " + pages);
        }

        /** @param alone as for the estimate of a guest's writes */
        WatchedWrites watch(boolean alone) throws IOException {
            try (ProcessFd process = ProcessFd.open(pid)) {
                Userfaultfd userfaultfd =
                        Userfaultfd.of(ForeignUserfaultfd.fetch(process).fd(), WatchedWrites.FEATURES);
                Consumer<String> note = less -> {
                    throw new IllegalStateException(less);
                };
                return alone
                        ? WatchedWrites.beginAlone(pid, userfaultfd, image, List.of(), note)
                        : WatchedWrites.begin(pid, userfaultfd, image, false, WatchedWrites.ANY_RATE, note);
            }
        }

        @Override
        public void close() {
            image.close();
            child.close();
            file.close();
        }
    }

    /** The cost of {@code vmm-active=}: a sync, and a search for holes. */
    private List<Figure> active(WatchedProcess process, long mebibytes) throws IOException {
        List<Figure> figures = new ArrayList<>();
        try (WatchedWrites watch = process.watch(true)) {
            for (long written : List.of(0L, process.image.pages() / 100)) {
                double millis = scan(watch, process, written);
                figures.add(Figure.of(
                        "vmm-active: processor time of a scan of " + mebibytes + " MiB, " + written + " pages written",
                        millis,
                        "ms"));
                figures.add(Figure.of("  of a processor, with vmm-active=" + INTERVAL, millis / INTERVAL / 10, "%"));
            }
        }
        return figures;
    }

    private double scan(WatchedWrites watch, WatchedProcess process, long written) throws IOException {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        HoleSource holes = new HoleSource(process.image);
        PageBits seen = new PageBits(process.image.pages());
        PageBits empty = new PageBits(process.image.pages());
        List<Double> millis = new ArrayList<>();
        for (int round = -2; round < rounds; round++) {
            process.write(written);
            seen.clear();
            empty.clear();
            long start = threads.getCurrentThreadCpuTime();
            watch.sync(seen);
            holes.synced();
            holes.collect(empty, seen);
            if (round >= 0) {
                millis.add((threads.getCurrentThreadCpuTime() - start) / 1e6);
            }
        }
        return Median.of(millis);
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
                Figure.of("stop of the process's thread, median of " + ATTACHES, Median.of(stopped), "ms"),
                Figure.of(
                                "  longest",
                                stopped.stream()
                                        .mapToDouble(Double::doubleValue)
                                        .max()
                                        .orElseThrow(),
                                "ms")
                        .atMost(WANTED_STOP_MILLIS));
    }

    /** A sync after the process has written so many pages, each in another place. */
    private Figure sync(WatchedWrites watch, WatchedProcess process, long written) throws IOException {
        PageBits found = new PageBits((memory << 20) / SharedFile.SMALL_PAGE);
        List<Double> millis = new ArrayList<>();
        for (int round = -2; round < rounds; round++) {
            process.write(written);
            found.clear();
            long start = System.nanoTime();
            watch.sync(found);
            if (round >= 0) {
                millis.add(millisSince(start));
            }
            if (found.count() < written) {
                throw new IOException(found.count() + " of " + written + " written pages were reported");
            }
        }
        return Figure.of("a sync, " + written + " pages written", Median.of(millis), "ms");
    }

    private static double millisSince(long start) {
        return (System.nanoTime() - start) / 1e6;
    }
}
