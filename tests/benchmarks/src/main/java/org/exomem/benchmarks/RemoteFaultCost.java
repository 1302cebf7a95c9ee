package org.exomem.benchmarks;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import java.util.function.ToDoubleFunction;
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
import org.exomem.migration.PageSink;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pager.MappedPages;
import org.exomem.migration.pager.OwedPages;
import org.exomem.migration.pager.PagePlacer;
import org.exomem.migration.pager.PageSource;
import org.exomem.migration.pager.Pager;
import org.exomem.migration.pager.VmmMemory;
import org.exomem.migration.stream.destination.BegunMigration;
import org.exomem.migration.stream.destination.Destination;
import org.exomem.migration.stream.destination.MigrationReceiver;
import org.exomem.migration.stream.destination.PageTarget;
import org.exomem.migration.stream.destination.PostCopyMemory;
import org.exomem.migration.stream.destination.ReceivedMigration;
import org.exomem.migration.stream.destination.WantedPage;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.source.MigrationSender;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.pages.PageBits;
import org.exomem.pages.Pages;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The time of a touch of a missing page that a migration's source sends over TCP, compared with a peer and a handler
 * that do nothing else.
 */
@Command(
        name = "remote-faults",
        mixinStandardHelpOptions = true,
        description =
                "An access to a page that the source still has, served over loopback by the stream, compared with a bare handler.")
final class RemoteFaultCost extends Benchmark {
    private static final double HALF_WANTED = 1.5;
    private static final double MOST_WANTED = 2;
    private static final double BUSY_WANTED = 2;
    private static final double BACKGROUND = 0.6;
    /** Bytes a second. At this rate, hardly any page arrives unrequested. */
    private static final long IDLE_RATE = 1 << 16;
    /** A touch of a present page is shorter, and one that waits for a page is longer. */
    private static final long LEAST_NANOS = 3000;

    private static final Duration LIMIT = Duration.ofMillis(100);
    private static final int FAULTS_NICE = -15;
    private static final StreamOptions OPTIONS = StreamOptions.defaults()
            .withChannels(2)
            .withFeatures(EnumSet.of(StreamFeature.RESUME, StreamFeature.POSTCOPY), Set.of());

    @Option(
            names = "--memory",
            paramLabel = "MIB",
            description = "Memory that the source still has. Default: ${DEFAULT-VALUE}")
    private long memory = 1024;

    @Option(
            names = "--touched",
            paramLabel = "MIB",
            description = "Part of it that is accessed. Default: ${DEFAULT-VALUE}")
    private long touched = 64;

    @Option(names = "--rounds", description = "Rounds of each, alternating. Default: ${DEFAULT-VALUE}")
    private int rounds = 5;

    /**
     * The times of touches that waited, in microseconds: the median and the 99th percentile.
     *
     * @param rate at which unrequested pages came meanwhile, in bytes per second
     */
    private record Taken(double half, double most, double rate) {}

    @Override
    List<Figure> measure() throws IOException {
        List<Taken> bare = new ArrayList<>();
        List<Taken> idle = new ArrayList<>();
        List<Taken> busy = new ArrayList<>();
        List<Double> bulk = new ArrayList<>();
        try (SharedFile from = SharedFile.memfd("owed", memory << 20);
                SharedFile ram = SharedFile.memfd("touched", memory << 20);
                ChildJvm child = ChildJvm.startBelowShell(TouchedMemory.class, List.of(ram.fd()))) {
            fill(from);
            int pid = Integer.parseInt(ask(child, "pid"));
            for (int round = -1; round < rounds; round++) {
                double rate;
                try (Served all = new Served(pid, from, ram, BandwidthLimit.NONE)) {
                    rate = all.awaitAll();
                }
                Taken alone;
                try (Served served = new Served(pid, from, ram, IDLE_RATE)) {
                    alone = touch(child, served);
                }
                Taken loaded;
                try (Served served = new Served(pid, from, ram, (long) (rate * BACKGROUND))) {
                    loaded = touch(child, served);
                }
                Taken other = bare(pid, from, ram, child);
                say("  %.0f MB/s; bare %.1f and %.1f us, idle %.1f and %.1f us, with %.0f MB/s %.1f and %.1f us"
                        .formatted(
                                rate / 1e6,
                                other.half,
                                other.most,
                                alone.half,
                                alone.most,
                                loaded.rate / 1e6,
                                loaded.half,
                                loaded.most));
                if (round >= 0) {
                    bulk.add(rate);
                    idle.add(alone);
                    busy.add(loaded);
                    bare.add(other);
                }
            }
        }
        return List.of(
                Figure.of("access served over loopback, p50", median(idle, Taken::half), "us"),
                Figure.of("access served over loopback, p99", median(idle, Taken::most), "us"),
                Figure.of("access served by a bare handler, p50", median(bare, Taken::half), "us"),
                Figure.of("access served by a bare handler, p99", median(bare, Taken::most), "us"),
                Figure.of("stream / bare handler, p50", median(idle, Taken::half) / median(bare, Taken::half), "")
                        .atMost(HALF_WANTED),
                Figure.of("stream / bare handler, p99", median(idle, Taken::most) / median(bare, Taken::most), "")
                        .atMost(MOST_WANTED),
                Figure.of("background transfer alone", Median.of(bulk) / 1e6, "MB/s"),
                Figure.of("background transfer meanwhile", median(busy, Taken::rate) / 1e6, "MB/s"),
                Figure.of("access with background transfer, p50", median(busy, Taken::half), "us"),
                Figure.of("access with background transfer, p99", median(busy, Taken::most), "us"),
                Figure.of(
                                "with background transfer / idle, p99",
                                median(busy, Taken::most) / median(idle, Taken::most),
                                "")
                        .atMost(BUSY_WANTED));
    }

    private static double median(List<Taken> rounds, ToDoubleFunction<Taken> of) {
        return Median.of(rounds.stream().map(of::applyAsDouble).toList());
    }

    private static void fill(SharedFile file) throws IOException {
        try (Mapping mapping = Mapping.of(file, 0, file.size())) {
            for (long page = 0; page < Pages.floor(file.size()); page++) {
                mapping.segment().set(JAVA_LONG, page * SharedFile.SMALL_PAGE, page + 1);
            }
        }
    }

    private static String ask(ChildJvm child, String question) throws IOException {
        child.tell(question);
        return child.answer();
    }

    private Taken touch(ChildJvm child, Served served) throws IOException {
        long before = served.left();
        long begin = System.nanoTime();
        Taken taken = touch(child);
        double seconds = (System.nanoTime() - begin) / 1e9;
        return new Taken(
                taken.half, taken.most, (before - served.left() - taken.rate) * SharedFile.SMALL_PAGE / seconds);
    }

    /** The result's rate is the number of touches that count. */
    private Taken touch(ChildJvm child) throws IOException {
        String[] words =
                ask(child, "touch " + (touched << 8) + " " + LEAST_NANOS).split(" ");
        return new Taken(Long.parseLong(words[0]) / 1e3, Long.parseLong(words[1]) / 1e3, Long.parseLong(words[3]));
    }

    /** Memory that a migration's source owes to another process. */
    private static final class Served implements Destination, AutoCloseable {
        private final MemoryDescription description;
        private final MemoryImage source;
        private final MemoryImage files;
        private final ProcessFd process;
        private final VmmMemory vmm;
        private final long begin;
        private final MigrationReceiver receiver;
        private final MigrationSender sender;
        private @Nullable Owed owed;

        Served(int pid, SharedFile from, SharedFile ram, long rate) throws IOException {
            ram.punchHole(0, ram.size());
            description = new MemoryDescription(
                    Pages.SIZE, List.of(new MemoryDescription.MemoryFile("ram", ram.size(), Pages.SIZE)));
            source = new MemoryImage(
                    List.of(new ImageFile("ram", new SharedFile(from.fd().duplicate()))));
            files = new MemoryImage(
                    List.of(new ImageFile("ram", new SharedFile(ram.fd().duplicate()))));
            process = ProcessFd.open(pid);
            MappedPages mapped = VmmMemory.find(pid, files);
            ForeignUserfaultfd.Left left = ForeignUserfaultfd.leave(process);
            vmm = new VmmMemory(
                    Userfaultfd.of(left.fd(), VmmMemory.FEATURES),
                    ProcessFd.open(pid),
                    mapped,
                    () -> ForeignUserfaultfd.close(process, left.number()));
            receiver = MigrationReceiver.listen(
                    MigrationAddress.parse("127.0.0.1:0"), StreamSecurity.none(), OPTIONS, this);
            sender = MigrationSender.connect(
                    receiver.address(), StreamSecurity.none(), OPTIONS, description, new BandwidthLimit(rate));
            PageBits all = new PageBits(description.pages());
            all.addAll();
            sender.endRound();
            sender.promise(all, source);
            sender.owe(all);
            try (OutputStream state = sender.deviceState("none")) {
                state.write(0);
            }
            begin = System.nanoTime();
            sender.finish();
            sender.handOver();
        }

        long left() {
            return owed().pages.left();
        }

        private Owed owed() {
            return Objects.requireNonNull(owed, "pages are owed");
        }

        /** Waits for all pages. Returns how many bytes a second came. */
        double awaitAll() throws IOException {
            sender.awaitArrived(() -> {});
            return description.pages() * SharedFile.SMALL_PAGE / ((System.nanoTime() - begin) / 1e9);
        }

        @Override
        public PageTarget open(MemoryDescription described, String who) {
            return PageTarget.NONE;
        }

        @Override
        public OutputStream deviceState(String name) {
            return OutputStream.nullOutputStream();
        }

        @Override
        public void listening(PageBits promised) {}

        @Override
        public PostCopyMemory owing(BegunMigration begun, PageBits pages, WantedPage want) throws IOException {
            Owed memory = new Owed(vmm, pages, want);
            owed = memory;
            return memory;
        }

        @Override
        public void ready(ReceivedMigration received) {}

        @Override
        public void start() {}

        @Override
        public void failed(IOException why) {}

        @Override
        public void close() throws IOException {
            sender.close();
            receiver.close();
            owed().pager.close();
            try {
                vmm.leave();
            } finally {
                vmm.close();
                process.close();
                files.close();
                source.close();
            }
        }
    }

    /** Like exomem's own for a VM. */
    private static final class Owed implements PostCopyMemory, PageSource {
        private final OwedPages pages;
        private final PageBits asked;
        private final WantedPage want;
        private final Pager pager;
        private final CompletableFuture<Void> arrived = new CompletableFuture<>();

        Owed(VmmMemory vmm, PageBits owed, WantedPage want) throws IOException {
            this.pages = new OwedPages(owed);
            this.asked = new PageBits(owed.pages());
            this.want = want;
            this.pager = Pager.start("bench", vmm, pages, this, Optional.empty(), new Pager.Watcher() {});
            pager.end().thenAccept(state -> arrived.complete(null));
        }

        @Override
        public void demand(long page, PagePlacer into) throws IOException {
            if (!asked.contains(page)) {
                want.ask(page);
                asked.add(page);
            }
        }

        @Override
        public void prefetch(long first, long count, PagePlacer into) {
            throw new IllegalStateException("the source sends pages without a request");
        }

        @Override
        public PageSink sink(BooleanSupplier counts) {
            PagePlacer placer = pager.placer();
            return new PageSink() {
                @Override
                public void pages(long first, MemorySegment content) throws IOException {
                    placer.copy(first, Pages.floor(content.byteSize()), content.address());
                    pager.arrived();
                }

                @Override
                public void zeros(long first, long count) {
                    throw new IllegalStateException("no page has zeros");
                }

                @Override
                public void free(long first, long count) {
                    throw new IllegalStateException("a free page is not owed");
                }
            };
        }

        @Override
        public PageBits owed() {
            return pages.copy();
        }

        @Override
        public void again() {}

        @Override
        public void abandon() {}

        @Override
        public CompletableFuture<Void> arrived() {
            return arrived;
        }
    }

    private Taken bare(int pid, SharedFile from, SharedFile ram, ChildJvm child) throws IOException {
        ram.punchHole(0, ram.size());
        try (ProcessFd process = ProcessFd.open(pid);
                MemoryImage files = new MemoryImage(
                        List.of(new ImageFile("ram", new SharedFile(ram.fd().duplicate()))))) {
            MappedPages.Range range = VmmMemory.find(pid, files).ranges().getFirst();
            Userfaultfd userfaultfd =
                    Userfaultfd.of(ForeignUserfaultfd.fetch(process).fd(), VmmMemory.FEATURES);
            try (PageFaults faults = new PageFaults(userfaultfd);
                    BarePeer peer = new BarePeer(from);
                    BareHandler _ = new BareHandler(faults, range.address(), peer.address())) {
                faults.registerMissing(range.address(), ram.size());
                return touch(child);
            }
        }
    }

    /** Answers the address of a page in a file with the page's content. */
    private static final class BarePeer implements AutoCloseable {
        private final ServerSocketChannel listener =
                ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        private final Mapping content;
        private final Thread thread;

        BarePeer(SharedFile from) throws IOException {
            content = Mapping.of(from, 0, from.size());
            thread = Thread.ofPlatform().daemon().start(this::run);
        }

        InetSocketAddress address() throws IOException {
            return (InetSocketAddress) listener.getLocalAddress();
        }

        private void run() {
            ByteBuffer question = ByteBuffer.allocateDirect(Long.BYTES);
            try (SocketChannel connection = listener.accept()) {
                connection.setOption(StandardSocketOptions.TCP_NODELAY, true);
                while (read(connection, question.clear())) {
                    long page = question.flip().getLong();
                    ByteBuffer answer = content.segment()
                            .asSlice(page, SharedFile.SMALL_PAGE)
                            .asByteBuffer();
                    while (answer.hasRemaining()) {
                        connection.write(answer);
                    }
                }
            } catch (IOException e) {
                // The other end has gone.
            }
        }

        @Override
        public void close() throws IOException {
            listener.close();
            join(thread);
            content.close();
        }
    }

    private static boolean read(SocketChannel from, ByteBuffer into) throws IOException {
        while (into.hasRemaining()) {
            if (from.read(into) < 0) {
                return false;
            }
        }
        return true;
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Waits, requests, copies, and does nothing else. */
    private static final class BareHandler implements AutoCloseable {
        private final PageFaults faults;
        private final long first;
        private final SocketChannel peer;
        private final Thread thread;
        private volatile boolean ended;

        BareHandler(PageFaults faults, long first, InetSocketAddress peer) throws IOException {
            this.faults = faults;
            this.first = first;
            this.peer = SocketChannel.open(peer);
            this.peer.setOption(StandardSocketOptions.TCP_NODELAY, true);
            this.thread = Thread.ofPlatform().daemon().start(this::run);
        }

        private void run() {
            ThreadPriority.set(FAULTS_NICE);
            Fd fd = faults.fd();
            PageGiver giver = new PageGiver(fd);
            MemorySegment page = Arena.ofAuto().allocate(SharedFile.SMALL_PAGE, SharedFile.SMALL_PAGE);
            ByteBuffer content = page.asByteBuffer();
            ByteBuffer question = ByteBuffer.allocateDirect(Long.BYTES);
            try {
                while (!ended) {
                    if (Poll.readable(fd, LIMIT)) {
                        int taken = faults.take();
                        for (int i = 0; i < taken; i++) {
                            long address = faults.address(i) & -SharedFile.SMALL_PAGE;
                            peer.write(question.clear().putLong(address - first).flip());
                            if (!read(peer, content.clear())) {
                                throw new EOFException("the peer closed the connection");
                            }
                            giver.copy(address, SharedFile.SMALL_PAGE, page.address());
                        }
                    }
                }
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        public void close() throws IOException {
            ended = true;
            join(thread);
            peer.close();
        }
    }
}
