package org.exomem.benchmarks;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.exomem.linux.Fd;
import org.exomem.linux.Mapping;
import org.exomem.linux.PageFaults;
import org.exomem.linux.PageGiver;
import org.exomem.linux.Poll;
import org.exomem.linux.SharedFile;
import org.exomem.linux.ThreadPriority;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.process.ForeignUserfaultfd;
import org.exomem.linux.process.ProcessFd;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pager.ImagePages;
import org.exomem.migration.pager.MappedPages;
import org.exomem.migration.pager.OwedPages;
import org.exomem.migration.pager.Pager;
import org.exomem.migration.pager.PagerState;
import org.exomem.migration.pager.VmmMemory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The time of a touch of a missing page that the pager reads from an image, compared with a handler that does nothing
 * else.
 */
@Command(
        name = "page-faults",
        mixinStandardHelpOptions = true,
        description = "An access to a missing page, served from an image, compared with a bare handler.")
final class PageFaultCost extends Benchmark {
    private static final double WANTED = 1.3;
    private static final Duration LIMIT = Duration.ofMillis(100);
    private static final int FAULTS_NICE = -15;

    @Option(names = "--memory", paramLabel = "MIB", description = "Memory that is accessed. Default: ${DEFAULT-VALUE}")
    private long memory = 64;

    @Option(names = "--rounds", description = "Rounds of each of the two, alternating. Default: ${DEFAULT-VALUE}")
    private int rounds = 9;

    /** The times of touches, in microseconds: the median and the 99th percentile. */
    private record Taken(double half, double most) {}

    @Override
    List<Figure> measure() throws IOException {
        Path saved = Files.createTempFile(Path.of("/dev/shm"), "exomem-benchmark", ".ram");
        List<Taken> bare = new ArrayList<>();
        List<Taken> paged = new ArrayList<>();
        try (SharedFile ram = SharedFile.memfd("touched", memory << 20);
                ChildJvm child = ChildJvm.startBelowShell(TouchedMemory.class, List.of(ram.fd()))) {
            long sum = fill(saved);
            int pid = Integer.parseInt(ask(child, "pid"));
            try (ProcessFd process = ProcessFd.open(pid);
                    ImagePages image = new ImagePages(List.of(saved));
                    MemoryImage files = new MemoryImage(
                            List.of(new ImageFile("ram", new SharedFile(ram.fd().duplicate()))))) {
                for (int round = -2; round < rounds; round++) {
                    ram.punchHole(0, memory << 20);
                    Taken one = bare(process, saved, files, child, sum);
                    ram.punchHole(0, memory << 20);
                    Taken other = paged(process, image, files, child, sum);
                    if (round >= 0) {
                        bare.add(one);
                        paged.add(other);
                    }
                }
            }
        } finally {
            Files.delete(saved);
        }
        double ratio = median(paged, true) / median(bare, true);
        return List.of(
                Figure.of("access served by the pager, p50", median(paged, true), "us"),
                Figure.of("access served by the pager, p99", median(paged, false), "us"),
                Figure.of("access served by a bare handler, p50", median(bare, true), "us"),
                Figure.of("access served by a bare handler, p99", median(bare, false), "us"),
                Figure.of("pager / bare handler, p50", ratio, "").atMost(WANTED),
                Figure.of("pager / bare handler, p99", median(paged, false) / median(bare, false), ""));
    }

    private static double median(List<Taken> rounds, boolean half) {
        return Median.of(
                rounds.stream().map(taken -> half ? taken.half() : taken.most()).toList());
    }

    private long fill(Path saved) throws IOException {
        long sum = 0;
        try (SharedFile file = SharedFile.open(saved)) {
            file.truncate(memory << 20);
            try (Mapping mapping = Mapping.of(file, 0, memory << 20)) {
                for (long page = 0; page < memory << 8; page++) {
                    mapping.segment().set(JAVA_LONG, page * SharedFile.SMALL_PAGE, page + 1);
                    sum += page + 1;
                }
            }
        }
        return sum;
    }

    private static String ask(ChildJvm child, String question) throws IOException {
        child.tell(question);
        return child.answer();
    }

    private Taken touch(ChildJvm child, long sum) throws IOException {
        String[] words = ask(child, "touch " + (memory << 8) + " 0").split(" ");
        if (Long.parseLong(words[2]) != sum) {
            throw new IOException("the memory differs from the image");
        }
        return new Taken(Long.parseLong(words[0]) / 1e3, Long.parseLong(words[1]) / 1e3);
    }

    private Taken paged(ProcessFd process, ImagePages image, MemoryImage files, ChildJvm child, long sum)
            throws IOException {
        MappedPages mapped = VmmMemory.find(process.pid(), files);
        ForeignUserfaultfd.Left left = ForeignUserfaultfd.leave(process);
        try (VmmMemory vmm = new VmmMemory(
                Userfaultfd.of(left.fd(), VmmMemory.FEATURES),
                ProcessFd.open(process.pid()),
                mapped,
                () -> ForeignUserfaultfd.close(process, left.number()))) {
            Pager pager = Pager.start(
                    "bench", vmm, new OwedPages(image.owedTo(files)), image, Optional.empty(), new Pager.Watcher() {});
            Taken taken = touch(child, sum);
            PagerState end = pager.end().join();
            if (end.status() != PagerState.Status.COMPLETED) {
                throw new IOException("the pager has ended: " + end);
            }
            return taken;
        }
    }

    private Taken bare(ProcessFd process, Path saved, MemoryImage files, ChildJvm child, long sum) throws IOException {
        MappedPages.Range range = VmmMemory.find(process.pid(), files).ranges().getFirst();
        Userfaultfd userfaultfd =
                Userfaultfd.of(ForeignUserfaultfd.fetch(process).fd(), VmmMemory.FEATURES);
        try (PageFaults faults = new PageFaults(userfaultfd);
                SharedFile file = SharedFile.openForReading(saved);
                Mapping mapping = Mapping.forReading(file, 0, file.size());
                BareHandler handler = new BareHandler(
                        faults, range.address(), mapping.segment().address())) {
            faults.registerMissing(range.address(), file.size());
            handler.start();
            return touch(child, sum);
        }
    }

    /** Waits, reads, copies, and does nothing else. */
    private static final class BareHandler implements AutoCloseable {
        private final PageFaults faults;
        private final long first;
        private final long content;
        private final Thread thread = Thread.ofPlatform().daemon().unstarted(this::run);
        private volatile boolean ended;

        BareHandler(PageFaults faults, long first, long content) {
            this.faults = faults;
            this.first = first;
            this.content = content;
        }

        void start() {
            thread.start();
        }

        private void run() {
            ThreadPriority.set(FAULTS_NICE);
            Fd fd = faults.fd();
            PageGiver giver = new PageGiver(fd);
            try {
                while (!ended) {
                    if (Poll.readable(fd, LIMIT)) {
                        int taken = faults.take();
                        for (int i = 0; i < taken; i++) {
                            long page = faults.address(i) & -SharedFile.SMALL_PAGE;
                            giver.copy(page, SharedFile.SMALL_PAGE, content + page - first);
                        }
                    }
                }
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        public void close() {
            ended = true;
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
