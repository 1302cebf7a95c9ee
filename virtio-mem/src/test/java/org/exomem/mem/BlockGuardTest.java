package org.exomem.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.PageFaults;
import org.exomem.linux.Poll;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * This process is also the VMM. It touches memory by system calls: a Java thread that waits for a page would block the
 * garbage collector, and with it the thread that provides the page.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class BlockGuardTest {
    private static final long MIB = 1 << 20;
    private static final long PAGE = 4096;
    private static final long ADDRESS = 4L << 30;
    private static final long SIZE = 64 * MIB;
    private static final long BLOCK = 2 * MIB;
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private final GuestMemory memory = new GuestMemory();
    private final MemoryRegionPlan plan = new MemoryRegionPlan(ADDRESS, SIZE, BLOCK, OptionalInt.empty());
    private final BlockMap blocks = new BlockMap(SIZE / BLOCK);
    private final List<String> told = new ArrayList<>();
    private boolean holds;
    private SharedFile file;
    private Mapping vmm;
    private PageFaults faults;
    private BlockGuard guard;

    @TempDir
    Path folder;

    @BeforeEach
    void start() throws LinuxException {
        file = SharedFile.memfd("ram", SIZE);
        memory.add(MemoryRegion.map(ADDRESS, SIZE, ADDRESS, 0, file));
        vmm = Mapping.of(file, 0, SIZE);
        faults = new PageFaults(Userfaultfd.of(Userfaultfd.make(), PageFaults.FEATURES));
        guard = new BlockGuard(
                faults,
                List.of(new BlockGuard.Stretch(ADDRESS, vmm.segment().address(), SIZE)),
                plan,
                blocks,
                new BlockGuard.Listener() {
                    @Override
                    public void read(long guestAddress) {
                        told.add("read " + (guestAddress - ADDRESS));
                    }

                    @Override
                    public boolean written(long guestAddress) {
                        told.add("write " + (guestAddress - ADDRESS));
                        return holds;
                    }

                    @Override
                    public void failed(LinuxException why) {
                        told.add(why.getMessage());
                    }
                });
    }

    @AfterEach
    void close() {
        guard.close();
        vmm.close();
        memory.close();
    }

    private MemorySegment at(long offset, long length) {
        return vmm.segment().asSlice(offset, length);
    }

    private static CompletableFuture<Void> thread(Touch touch) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            try {
                touch.run();
                done.complete(null);
            } catch (IOException e) {
                done.completeExceptionally(e);
            }
        });
        return done;
    }

    private interface Touch {
        void run() throws IOException;
    }

    private CompletableFuture<Void> write(long offset) {
        return thread(() -> {
            try (FileChannel zeros = FileChannel.open(Path.of("/dev/zero"), StandardOpenOption.READ)) {
                zeros.read(at(offset, 8).asByteBuffer());
            }
        });
    }

    private CompletableFuture<Void> read(long offset, long length) {
        return thread(() -> {
            try (FileChannel copy =
                    FileChannel.open(folder.resolve("copy"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                for (long at = offset; at < offset + length; at += PAGE) {
                    copy.write(at(at, PAGE).asByteBuffer(), 0);
                }
            }
        });
    }

    private void serveUntilDone(CompletableFuture<Void> touch) throws LinuxException {
        while (!touch.isDone()) {
            if (Poll.readable(faults.fd(), Duration.ofMillis(1))) {
                guard.serve(memory);
            }
        }
        touch.join();
    }

    private void serveOne() throws LinuxException {
        assertThat(Poll.readable(faults.fd(), LIMIT)).isTrue();
        guard.serve(memory);
    }

    private void takeAllBack() {
        await().atMost(LIMIT).until(() -> !guard.takeBack(memory));
    }

    @Test
    @Tag("MEM-GUARD-5")
    @Tag("MEM-GUARD-6")
    void writeToAnUnpluggedBlockIsToldAndLost() throws LinuxException {
        guard.begin();
        CompletableFuture<Void> write = write(3 * BLOCK + 40);
        serveUntilDone(write);
        assertThat(told).containsExactly("write " + (3 * BLOCK + 40));
        assertThat(guard.takeBack(memory)).as("it stays for a while").isTrue();
        assertThat(file.allocatedBytes()).isEqualTo(PAGE);
        takeAllBack();
        assertThat(file.allocatedBytes()).isZero();
    }

    @Test
    @Tag("MEM-GUARD-4")
    @Tag("MEM-GUARD-5")
    void readingAllUnpluggedMemoryCostsSixteenMebibytesAtMost() throws LinuxException {
        guard.begin();
        CompletableFuture<Void> read = read(0, SIZE);
        long most = 0;
        while (!read.isDone()) {
            if (Poll.readable(faults.fd(), Duration.ofMillis(1))) {
                guard.serve(memory);
                most = Math.max(most, file.allocatedBytes());
            }
        }
        read.join();
        assertThat(told).hasSize((int) (SIZE / PAGE)).allMatch(touch -> touch.startsWith("read "));
        assertThat(most).isLessThanOrEqualTo(16 * MIB);
        takeAllBack();
        assertThat(file.allocatedBytes()).isZero();
    }

    @Test
    @Tag("MEM-GUARD-4")
    void writeToAPageThatWasReadIsToldToo() throws LinuxException {
        guard.begin();
        serveUntilDone(read(BLOCK, PAGE));
        serveUntilDone(write(BLOCK));
        assertThat(told).containsExactly("read " + BLOCK, "write " + BLOCK);
    }

    @Test
    @Tag("MEM-GUARD-6")
    void whoeverWritesWaitsWhileHeld() throws LinuxException {
        guard.begin();
        holds = true;
        CompletableFuture<Void> write = write(0);
        serveOne();
        assertThat(told).containsExactly("write 0");
        assertThat(file.allocatedBytes()).isZero();
        assertThat(write).isNotDone();
        guard.goOn(memory);
        write.join();
        takeAllBack();
        assertThat(file.allocatedBytes()).isZero();
    }

    @Test
    @Tag("MEM-GUARD-3")
    @Tag("MEM-GUARD-5")
    void blockThatIsPluggedIsGuardedNoMoreAndKeepsWhatItHas() throws LinuxException {
        guard.begin();
        serveUntilDone(write(0));
        guard.leave(0, 1);
        blocks.set(0, 1, true);
        write(PAGE).join();
        takeAllBack();
        assertThat(file.allocatedBytes()).isEqualTo(2 * PAGE);
        assertThat(told).containsExactly("write 0");
    }

    @Test
    @Tag("MEM-GUARD-1")
    @Tag("MEM-GUARD-2")
    void onlyUnpluggedBlocksAreGuarded() throws LinuxException {
        blocks.set(2, 5, true);
        guard.begin();
        write(2 * BLOCK).join();
        write(7 * BLOCK - 8).join();
        assertThat(told).isEmpty();
        guard.enter(6, 1);
        blocks.set(6, 1, false);
        serveUntilDone(write(6 * BLOCK));
        serveUntilDone(write(7 * BLOCK));
        assertThat(told).hasSize(2);
    }

    @Test
    @Tag("MEM-GUARD-7")
    void nobodyWaitsAnyMoreWhenItEnds() throws LinuxException {
        guard.begin();
        CompletableFuture<Void> write = write(0);
        assertThat(Poll.readable(faults.fd(), LIMIT)).isTrue();
        guard.close();
        write.join();
        write(BLOCK).join();
        assertThat(told).isEmpty();
    }

    @Test
    @Tag("MEM-GUARD-7")
    void touchThatAnEarlierProcessLeftUnansweredIsAnswered() throws LinuxException {
        PageFaults earlier = new PageFaults(Userfaultfd.inUse(faults.fd().duplicate()));
        earlier.register(vmm.segment().address(), SIZE);
        CompletableFuture<Void> write = write(BLOCK);
        assertThat(Poll.readable(earlier.fd(), LIMIT)).isTrue();
        assertThat(earlier.take()).isEqualTo(1);
        earlier.close();

        guard.begin();
        serveUntilDone(write);
        assertThat(told).containsExactly("write " + BLOCK);
    }

    @Test
    @Tag("MEM-GUARD-8")
    void blocksInTooManyPiecesAreNotGuarded() {
        MemoryRegionPlan large = new MemoryRegionPlan(ADDRESS, 16L << 30, BLOCK, OptionalInt.empty());
        BlockMap scattered = new BlockMap(large.blocks());
        for (long block = 0; block < scattered.blocks(); block += 2) {
            scattered.set(block, 1, true);
        }
        BlockGuard ofScattered = new BlockGuard(faults, List.of(), large, scattered, new BlockGuard.Listener() {
            @Override
            public void read(long guestAddress) {}

            @Override
            public boolean written(long guestAddress) {
                return false;
            }

            @Override
            public void failed(LinuxException why) {}
        });
        assertThatThrownBy(ofScattered::begin).hasMessageContaining("they form more than 2048 separate ranges");
        assertThat(ofScattered.isStanding()).isFalse();
    }
}
