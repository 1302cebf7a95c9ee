package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Tests in this process's own address space. Memory is touched by system calls: a Java thread that waits for a page
 * would block the garbage collector, and with it the thread that provides the page.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class PageFaultsTest {
    private static final long PAGE = 4096;
    private static final int PAGES = 16;
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final Executor THREADS = task -> Thread.ofPlatform().daemon().start(task);

    private SharedFile file;
    private SharedFile other;
    private Mapping mapping;
    private PageFaults faults;
    private long start;

    @BeforeEach
    void register() throws LinuxException {
        file = SharedFile.memfd("ram", PAGES * PAGE);
        other = SharedFile.memfd("other", PAGE);
        mapping = Mapping.of(file, 0, PAGES * PAGE);
        start = mapping.segment().address();
        faults = new PageFaults(Userfaultfd.of(Userfaultfd.make(), PageFaults.FEATURES));
        faults.register(start, PAGES * PAGE);
    }

    @AfterEach
    void close() throws LinuxException {
        faults.unregister(start, PAGES * PAGE);
        faults.close();
        mapping.close();
        file.close();
        other.close();
    }

    private CompletableFuture<Long> write(long address) {
        return CompletableFuture.supplyAsync(
                () -> {
                    try (SharedFile zeros = SharedFile.open(Path.of("/dev/zero"))) {
                        return LibC.read(zeros.fd().number(), address, 1);
                    } catch (LinuxException e) {
                        throw new AssertionError(e);
                    }
                },
                THREADS);
    }

    private CompletableFuture<Long> read(long address) {
        return CompletableFuture.supplyAsync(() -> LibC.write(other.fd().number(), address, 1), THREADS);
    }

    private int awaitTouches() throws LinuxException {
        assertThat(Poll.readable(faults.fd(), Duration.ofSeconds(30))).isTrue();
        return faults.take();
    }

    @Test
    void whoeverWritesAMissingPageWaitsForIt() throws LinuxException {
        long address = start + 3 * PAGE + 17;
        CompletableFuture<Long> write = write(address);
        assertThat(awaitTouches()).isEqualTo(1);
        assertThat(faults.address(0)).isEqualTo(address);
        assertThat(faults.isWrite(0)).isTrue();
        assertThat(faults.isWriteProtected(0)).isFalse();
        assertThat(write).isNotDone();
        faults.giveZeros(address);
        assertThat(write.join()).isEqualTo(1);
        assertThat(file.allocatedBytes()).isEqualTo(PAGE);
        assertThat(faults.take()).isZero();
    }

    @Test
    void pageThatWasGivenForReadingTellsOfAWrite() throws LinuxException {
        CompletableFuture<Long> read = read(start);
        assertThat(awaitTouches()).isEqualTo(1);
        assertThat(faults.isWrite(0)).isFalse();
        faults.giveZerosToRead(start);
        assertThat(read.join()).isEqualTo(1);
        assertThat(mapping.segment().get(JAVA_BYTE, 0)).isZero();

        CompletableFuture<Long> write = write(start);
        assertThat(awaitTouches()).isEqualTo(1);
        assertThat(faults.isWrite(0)).isTrue();
        assertThat(faults.isWriteProtected(0)).isTrue();
        faults.allowWrite(start);
        assertThat(write.join()).isEqualTo(1);
    }

    @Test
    void pageThatWasTakenBackIsMissingAgain() throws LinuxException {
        CompletableFuture<Long> read = read(start);
        awaitTouches();
        faults.giveZerosToRead(start);
        read.join();
        file.punchHole(0, PAGE);
        CompletableFuture<Long> write = write(start);
        assertThat(awaitTouches()).isEqualTo(1);
        assertThat(faults.isWriteProtected(0)).isFalse();
        faults.giveZeros(start);
        write.join();
        file.punchHole(0, PAGE);
        assertThat(file.allocatedBytes()).isZero();
    }

    @Test
    void pageThatIsThereByNowIsNotReplaced() throws LinuxException {
        CompletableFuture<Long> write = write(start);
        awaitTouches();
        CompletableFuture<Long> read = read(start);
        awaitTouches();
        faults.giveZeros(start);
        faults.giveZerosToRead(start);
        faults.giveZeros(start);
        assertThat(write.join()).isEqualTo(1);
        assertThat(read.join()).isEqualTo(1);
        assertThat(faults.take()).isZero();
    }

    @Test
    void whoeverWaitsGoesOnWhenTheRangeIsWatchedNoMore() throws LinuxException {
        CompletableFuture<Long> write = write(start);
        awaitTouches();
        assertThat(faults.isWatched(start)).isTrue();
        faults.unregister(start, PAGES * PAGE);
        assertThat(write.join()).isEqualTo(1);
        assertThat(faults.isWatched(start)).isFalse();
    }

    /**
     * The kernel wakes waiting threads before it has removed the range, so that one of them may wait once more
     * afterwards. The order of both is random. The test forces it by mapping the file again at the same place.
     */
    @Test
    void whoeverWaitsWhereNothingIsWatchedAnyMoreGoesOnWhenTheRangeIsLetGo() throws LinuxException {
        CompletableFuture<Long> write = write(start);
        assertThat(Poll.readable(faults.fd(), LIMIT)).isTrue();
        mapAnew();
        assertThat(write).isNotDone();
        faults.unregister(start, PAGES * PAGE);
        assertThat(write).succeedsWithin(LIMIT).isEqualTo(1L);
    }

    /** The kernel does not wake a thread then that waits to write to a present page. */
    @Test
    void whoeverWaitsToWriteToAProtectedPageGoesOnWhenTheRangeIsLetGo() throws LinuxException {
        faults.unregister(start, PAGES * PAGE);
        write(start).join();
        try (Userfaultfd writes = Userfaultfd.of(Userfaultfd.make(), PageFaults.FEATURES)) {
            writes.register(start, PAGE, EnumSet.of(Userfaultfd.Mode.WRITE_PROTECT));
            writes.protect(start, PAGE);
            CompletableFuture<Long> write = write(start);
            assertThat(Poll.readable(writes.fd(), LIMIT)).isTrue();
            assertThat(write).isNotDone();
            writes.unregister(start, PAGE);
            assertThat(write).succeedsWithin(LIMIT).isEqualTo(1L);
        }
    }

    private void mapAnew() {
        int readAndWrite = 3;
        int sharedFixed = 0x11;
        assertThat(LibC.mmap(
                        start,
                        PAGES * PAGE,
                        readAndWrite,
                        sharedFixed,
                        file.fd().number(),
                        0))
                .isEqualTo(start);
    }

    @Test
    void touchThatWasTakenAndNotAnsweredComesAgainToWhoeverWakesIt() throws LinuxException {
        CompletableFuture<Long> write = write(start);
        assertThat(awaitTouches()).isEqualTo(1);
        try (PageFaults next = new PageFaults(Userfaultfd.inUse(faults.fd().duplicate()))) {
            next.register(start, PAGE);
            assertThat(next.take()).isZero();
            next.wake(start, PAGES * PAGE);
            assertThat(Poll.readable(next.fd(), Duration.ofSeconds(30))).isTrue();
            assertThat(next.take()).isEqualTo(1);
            assertThat(next.address(0)).isEqualTo(start);
            next.giveZeros(start);
            assertThat(write.join()).isEqualTo(1);
        }
    }

    @Test
    void rangeOfAnotherIsRefused() throws LinuxException {
        try (PageFaults another = new PageFaults(Userfaultfd.of(Userfaultfd.make(), PageFaults.FEATURES))) {
            assertThat(another.isWatched(start)).isTrue();
            assertThatThrownBy(() -> another.register(start, PAGE))
                    .isInstanceOfSatisfying(
                            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EBUSY));
        }
    }
}
