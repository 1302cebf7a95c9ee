package org.exomem.migration.stream.destination;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.BooleanSupplier;
import org.exomem.migration.PageSink;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.RawSource;
import org.exomem.migration.stream.format.ChunkReader;
import org.exomem.migration.stream.format.ChunkWriter;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.LivenessWatch;
import org.exomem.migration.stream.wire.Timers;
import org.exomem.migration.stream.wire.Wire;
import org.exomem.pages.PageBits;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * What a destination accepts from a source that owes it pages. Here the source has connected again, to another process.
 * All its connections are on one thread.
 */
class PostCopyReceptionTest {
    private static final int PAGE = 64;
    private static final int PAGES = 100;
    private static final int OWED = 19;
    private static final int PAGES_CHUNK = 3;
    private static final int ZEROS = 4;

    private final ScheduledExecutorService timer = Timers.start();
    private final MemoryDescription memory =
            new MemoryDescription(PAGE, List.of(new MemoryDescription.MemoryFile("ram", PAGE * PAGES, 4096)));
    private final Guest guest = new Guest();
    private final ReceivingSession session = new ReceivingSession(
            new BegunMigration(new UUID(1, 2), "source", memory, 3),
            guest,
            StreamOptions.defaults().withPatience(Duration.ofMillis(100)),
            timer);
    private ReceivingLink link = comeBack();

    PostCopyReceptionTest() throws IOException {}

    @AfterEach
    void end() {
        timer.shutdownNow();
    }

    private ReceivingLink comeBack() throws IOException {
        Wire nowhere = new Bytes(new byte[0]);
        ReceivingLink next = new ReceivingLink(
                nowhere,
                new ChunkWriter(nowhere, 0, new BandwidthLimit(BandwidthLimit.NONE), null, false),
                EnumSet.of(StreamFeature.RESUME, StreamFeature.POSTCOPY),
                2);
        session.resume(next);
        return next;
    }

    /** Reports pages as owed on the main connection, which then ends. */
    private void owe(long first, long behind) {
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        PageBits owed = new PageBits(PAGES);
        owed.add(first, behind - first);
        ByteBuffer words = ByteBuffer.allocate(2 * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        words.putLong(owed.word(0)).putLong(owed.word(1));
        said.writeBytes(RawSource.chunk(OWED, 0, words.capacity(), 0, 0, PAGES, words.array()));
        said.writeBytes(RawSource.chunk(OWED, 0, 0, 1, owed.count(), 0, new byte[0]));
        LivenessWatch watch = new LivenessWatch(timer, Duration.ofHours(1), () -> {}, () -> {});
        MainReceiver main =
                new MainReceiver(session, link, new ChunkReader(new Bytes(said.toByteArray()), 0, 1 << 12), watch);
        try {
            main.run();
        } catch (IOException e) {
            guest.lastSaid = String.valueOf(e.getMessage());
        }
        link.threads--;
    }

    private void data(int type, long first, long count) throws IOException {
        byte[] payload = new byte[type == PAGES_CHUNK ? (int) count * PAGE : 0];
        byte[] chunk = RawSource.chunk(type, 0, payload.length, 0, first, count, payload);
        new DataReceiver(session, link, 0, new ChunkReader(new Bytes(chunk), 0, 1 << 14)).run();
    }

    @Test
    @Tag("STR-PST-10")
    void pagesOfWhichNotAllAreOwedAreRefusedWhole() {
        owe(10, 50);
        for (int type : new int[] {PAGES_CHUNK, ZEROS}) {
            assertThatThrownBy(() -> data(type, 48, 3))
                    .isInstanceOf(StreamFault.class)
                    .hasMessage("the source sent page 50, which it did not owe");
            assertThatThrownBy(() -> data(type, 9, 1)).hasMessageContaining("page 9, which it did not owe");
        }
        assertThat(guest.arrived.isEmpty()).isTrue();
        assertThatThrownBy(() -> data(PAGES_CHUNK, 47, 3)).hasMessageContaining("ended data connection 0");
        assertThat(guest.arrived.count()).isEqualTo(3);
        // The source may connect once more, with new connections.
        assertThatThrownBy(() -> data(PAGES_CHUNK, 46, 3)).hasMessageContaining("ended data connection 0");
    }

    @Test
    @Tag("STR-PST-10")
    void sourceThatForgetsAPageIsNotWaitedForAsIfItHadAll() throws Exception {
        owe(10, 50);
        assertThatThrownBy(() -> data(PAGES_CHUNK, 40, 10)).hasMessageContaining("ended data connection 0");
        link = comeBack();
        owe(11, 40);
        assertThat(guest.lastSaid).contains("no longer owes page 10, which has not arrived");
        link = comeBack();
        owe(10, 51);
        assertThat(guest.lastSaid).contains("now owes page 50, which it did not owe before");
        assertThat(guest.again).isZero();
        link = comeBack();
        owe(10, 40);
        assertThat(guest.again).isEqualTo(1);
    }

    /** A guest whose memory is only counted. */
    private static final class Guest implements Destination, PostCopyMemory, PageSink {
        private final PageBits arrived = new PageBits(PAGES);
        private PageBits owed = new PageBits(PAGES);
        private String lastSaid = "";
        private int again;

        @Override
        public PageTarget open(MemoryDescription described, String source) {
            throw new AssertionError("the guest runs here already");
        }

        @Override
        public OutputStream deviceState(String name) {
            throw new AssertionError("the guest runs here already");
        }

        @Override
        public void ready(ReceivedMigration received) {
            throw new AssertionError("the guest runs here already");
        }

        @Override
        public void start() {
            throw new AssertionError("the guest runs here already");
        }

        @Override
        public void failed(IOException why) {}

        @Override
        public PageBits absent() {
            PageBits all = new PageBits(PAGES);
            all.addAll();
            return all;
        }

        @Override
        public PostCopyMemory owing(BegunMigration begun, PageBits pages, WantedPage want) {
            owed = new PageBits(PAGES);
            owed.copyOf(pages);
            return this;
        }

        @Override
        public PageSink sink(BooleanSupplier counts) {
            return this;
        }

        @Override
        public void pages(long first, MemorySegment content) {
            zeros(first, content.byteSize() / PAGE);
        }

        @Override
        public void zeros(long first, long count) {
            arrived.add(first, count);
        }

        @Override
        public void free(long first, long count) {
            throw new AssertionError("a free page is not owed");
        }

        @Override
        public PageBits owed() {
            PageBits left = new PageBits(PAGES);
            left.copyOf(owed);
            left.andNot(arrived);
            return left;
        }

        @Override
        public void again() {
            again++;
        }

        @Override
        public void abandon() {}

        @Override
        public CompletableFuture<Void> arrived() {
            return new CompletableFuture<>();
        }
    }

    /** A connection with input. Output is discarded. */
    private static final class Bytes implements Wire {
        private final ByteBuffer bytes;

        Bytes(byte[] bytes) {
            this.bytes = ByteBuffer.wrap(bytes);
        }

        @Override
        public void write(ByteBuffer[] sources) {
            for (ByteBuffer source : sources) {
                source.position(source.limit());
            }
        }

        @Override
        public int read(ByteBuffer into) {
            if (!bytes.hasRemaining()) {
                return -1;
            }
            int length = Math.min(into.remaining(), bytes.remaining());
            into.put(bytes.slice(bytes.position(), length));
            bytes.position(bytes.position() + length);
            return length;
        }

        @Override
        public void finishWriting() {}

        @Override
        public String peer() {
            return "source";
        }

        @Override
        public void close() {}
    }
}
