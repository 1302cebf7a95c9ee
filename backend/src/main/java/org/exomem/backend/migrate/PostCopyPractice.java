package org.exomem.backend.migrate;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.migration.PageSink;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pager.OwedPages;
import org.exomem.migration.stream.destination.BegunMigration;
import org.exomem.migration.stream.destination.Destination;
import org.exomem.migration.stream.destination.FilePages;
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

/**
 * Runs both ends of a post-copy without a guest, to train the AOT cache. After a hand-over the guest waits for pages, and
 * must not wait for classes to be loaded.
 */
public final class PostCopyPractice implements Destination {
    private static final long MEMORY = 64 << 20;
    /** One of this many pages holds zeros. */
    private static final int ZEROS = 8;

    private static final StreamOptions OPTIONS = StreamOptions.defaults()
            .withChannels(2)
            .withResumeWithin(Duration.ofSeconds(10))
            .withFeatures(EnumSet.of(StreamFeature.RESUME, StreamFeature.POSTCOPY), Set.of());

    private final MemoryDescription memory;
    private final SharedFile file;
    private WantedPage want = page -> {};

    private PostCopyPractice(MemoryDescription memory, SharedFile file) {
        this.memory = memory;
        this.file = file;
    }

    private static void fill(SharedFile file) throws IOException {
        try (Mapping mapping = Mapping.of(file, 0, MEMORY)) {
            for (long page = 0; page < Pages.floor(MEMORY); page++) {
                if (page % ZEROS != 0) {
                    mapping.segment().set(JAVA_LONG, page * Pages.SIZE, page);
                }
            }
        }
    }

    /**
     * Runs one migration within this process.
     *
     * @param folder for the socket
     * @throws IOException if it fails
     */
    public static void run(Path folder) throws IOException {
        MemoryDescription memory =
                new MemoryDescription(Pages.SIZE, List.of(new MemoryDescription.MemoryFile("ram", MEMORY, Pages.SIZE)));
        try (SharedFile from = SharedFile.memfd("practice-source", MEMORY);
                SharedFile to = SharedFile.memfd("practice-destination", MEMORY)) {
            fill(from);
            PostCopyPractice destination = new PostCopyPractice(memory, to);
            MigrationAddress address = MigrationAddress.parse("unix:" + folder.resolve("practice"));
            try (MigrationReceiver receiver =
                            MigrationReceiver.listen(address, StreamSecurity.none(), OPTIONS, destination);
                    MigrationSender sender = MigrationSender.connect(
                            address, StreamSecurity.none(), OPTIONS, memory, new BandwidthLimit(BandwidthLimit.NONE));
                    MemoryImage image = new MemoryImage(List.of(new ImageFile("ram", from)))) {
                PageBits owed = new PageBits(memory.pages());
                owed.addAll();
                sender.endRound();
                PageBits promised = new PageBits(memory.pages());
                promised.add(0, memory.pages() / 2);
                sender.promise(promised, image);
                sender.owe(owed);
                try (OutputStream state = sender.deviceState("practice")) {
                    state.write(new byte[1 << 16]);
                }
                sender.finish();
                sender.handOver();
                destination.want.ask(memory.pages() - 1);
                sender.awaitArrived(() -> {});
                receiver.receive();
            }
        }
    }

    @Override
    public PageTarget open(MemoryDescription described, String source) throws IOException {
        return new FilePages(memory, List.of(file));
    }

    @Override
    public OutputStream deviceState(String name) {
        return OutputStream.nullOutputStream();
    }

    @Override
    public void listening(PageBits promised) {}

    @Override
    public PostCopyMemory owing(BegunMigration begun, PageBits owed, WantedPage wanted) throws IOException {
        want = wanted;
        return new Arriving(new OwedPages(owed), new FilePages(memory, List.of(file)));
    }

    @Override
    public void ready(ReceivedMigration received) {}

    @Override
    public void start() {}

    @Override
    public void failed(IOException why) {}

    /** Writes the pages that arrive into the file. */
    private record Arriving(OwedPages left, FilePages target, CompletableFuture<Void> arrived)
            implements PostCopyMemory, PageSink {
        Arriving(OwedPages left, FilePages target) {
            this(left, target, new CompletableFuture<>());
        }

        @Override
        public PageSink sink(BooleanSupplier counts) {
            return this;
        }

        @Override
        public void pages(long first, MemorySegment content) throws IOException {
            target.pages(first, content);
            came(first, Pages.floor(content.byteSize()));
        }

        @Override
        public void zeros(long first, long count) throws IOException {
            target.zeros(first, count);
            came(first, count);
        }

        private void came(long first, long count) {
            left.arrived(first, count);
            if (left.left() == 0) {
                arrived.complete(null);
            }
        }

        @Override
        public void free(long first, long count) {
            throw new IllegalStateException("a free page is not owed");
        }

        @Override
        public PageBits owed() {
            return left.copy();
        }

        @Override
        public void again() {}

        @Override
        public void abandon() {}
    }
}
