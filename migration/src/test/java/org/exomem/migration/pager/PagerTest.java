package org.exomem.migration.pager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.exomem.linux.Fd;
import org.exomem.linux.SharedFile;
import org.exomem.linux.SmallDisk;
import org.exomem.linux.process.OpenFiles;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pager.Pager.Prefetch;
import org.exomem.migration.pager.PagerState.Status;
import org.exomem.pages.PageBits;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class PagerTest {
    private static final long PAGE = 4096;
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final Duration NEVER = Duration.ofDays(1);

    @TempDir
    private Path folder;

    private Path memoryFolder;
    private final Told told = new Told();

    /** Records the pager's notifications. */
    private static final class Told implements Pager.Watcher {
        private volatile int stalls;
        private volatile int recoveries;

        @Override
        public void stalled(String why) {
            stalls++;
        }

        @Override
        public void goesOn() {
            recoveries++;
        }
    }

    @BeforeEach
    void makeMemory() throws IOException {
        memoryFolder = Files.createTempDirectory(Path.of("/dev/shm"), "exomem-pager-test");
    }

    @AfterEach
    void removeMemory() throws IOException {
        try (Stream<Path> files = Files.list(memoryFolder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(memoryFolder);
    }

    private SavedGuest guest(long pages) throws IOException {
        // Not every file system keeps holes of single pages.
        return SavedGuest.of(pages, memoryFolder, memoryFolder);
    }

    /** A pager and the objects that it needs. */
    private final class Serving implements AutoCloseable {
        private final MemoryImage memory;
        private final ImagePages image;
        private final VmmMemory vmm;
        private final Pager pager;

        Serving(SavedGuest guest, boolean used, Optional<Prefetch> prefetch) throws IOException {
            memory = SavedGuest.memory(guest.ram());
            image = guest.image();
            vmm = SavedGuest.watch(
                    guest.vmm().pid(),
                    guest.userfaultfd(),
                    used,
                    memory,
                    () -> guest.vmm().say("close"));
            pager = Pager.start("test", vmm, new OwedPages(image.owedTo(memory)), image, prefetch, told);
        }

        PagerState end() {
            return pager.end().orTimeout(LIMIT.toSeconds(), TimeUnit.SECONDS).join();
        }

        @Override
        public void close() {
            pager.close();
            vmm.close();
            image.close();
            memory.close();
        }
    }

    private static long allocated(Path file) throws IOException {
        try (SharedFile opened = SharedFile.openForReading(file)) {
            return opened.allocatedBytes() / PAGE;
        }
    }

    @Test
    @Tag("PGR-SOURCE-1")
    @Tag("PGR-ZERO-1")
    void whoeverTouchesAMissingPageFindsWhatWasSavedOrZeros() throws IOException {
        try (SavedGuest guest = guest(64);
                Serving serving = new Serving(guest, false, Optional.empty())) {
            for (long page = 63; page >= 0; page--) {
                assertThat(guest.vmm().ask("read", page)).isEqualTo(SavedGuest.content(page));
            }
            PagerState state = serving.end();
            assertThat(state.status()).isEqualTo(Status.COMPLETED);
            assertThat(state.owed()).isZero();
            // A thread that is interrupted while it waits touches its page again.
            assertThat(state.faults()).isGreaterThanOrEqualTo(64);
            assertThat(state.zeroFaults()).isGreaterThanOrEqualTo(8);
        }
    }

    @Test
    @Tag("PGR-END-1")
    @Tag("PGR-OWED-1")
    void allArrivesByItselfHolesStayHolesAndNothingIsLeftInTheVmm() throws IOException {
        try (SavedGuest guest = guest(4096);
                Serving serving = new Serving(guest, false, Optional.of(Prefetch.AT_ONCE))) {
            PagerState state = serving.end();
            assertThat(state.status()).isEqualTo(Status.COMPLETED);
            assertThat(state.prefetched()).isEqualTo(4096 / 8 * 7);
            assertThat(allocated(guest.ram())).isEqualTo(4096 / 8 * 7);
            // The VMM carries out its commands in order: it has closed its userfaultfd when it answers.
            assertThat(guest.vmm().ask("sum", 0, 4096, 1)).isEqualTo(SavedGuest.sum(0, 4096, 1));
            assertThat(OpenFiles.of(guest.vmm().pid()).names().values()).doesNotContain("anon_inode:[userfaultfd]");
        }
    }

    @Test
    @Tag("PGR-PLACE-1")
    void whatTheGuestHasWrittenIsNotOverwritten() throws IOException {
        Prefetch later = new Prefetch(Optional.of(new PageBits(4096)), Duration.ZERO);
        try (SavedGuest guest = guest(4096)) {
            try (Serving _ = new Serving(guest, false, Optional.empty())) {
                for (long page = 0; page < 4096; page += 100) {
                    assertThat(guest.vmm().ask("write", page, -5)).isEqualTo("done");
                }
            }
            try (Serving serving = new Serving(guest, true, Optional.of(later))) {
                serving.end();
            }
            for (long page = 0; page < 4096; page += 100) {
                assertThat(guest.vmm().ask("read", page)).isEqualTo("-5 " + (SavedGuest.isZeros(page) ? 0 : -page));
            }
        }
    }

    @Test
    @Tag("PGR-AGAIN-1")
    @Tag("PGR-AGAIN-2")
    @Tag("PGR-OWED-2")
    void pagerThatIsKilledIsFollowedByOneThatGoesOn() throws IOException {
        try (SavedGuest guest = guest(4096)) {
            try (TestProgram killed = TestProgram.start(
                    HangingPager.class, guest.vmm().pid(), guest.userfaultfd(), guest.saved(), guest.ram(), 50)) {
                assertThat(killed.line()).isEqualTo("serving");
                guest.vmm().say("sum", 0, 4096, 8);
                assertThat(killed.line()).isEqualTo("hanging");
            }
            assertThat(guest.vmm().hasSaid()).as("it waits, and has no zeros").isFalse();
            assertThat(allocated(guest.ram())).isEqualTo(50);
            try (Serving serving = new Serving(guest, true, Optional.of(Prefetch.AT_ONCE))) {
                assertThat(guest.vmm().line()).isEqualTo(SavedGuest.sum(0, 4096, 8));
                PagerState state = serving.end();
                assertThat(state.status()).isEqualTo(Status.COMPLETED);
                assertThat(state.prefetched()).isLessThanOrEqualTo(4096 / 8 * 7 - 50);
            }
            assertThat(guest.vmm().ask("sum", 0, 4096, 1)).isEqualTo(SavedGuest.sum(0, 4096, 1));
        }
    }

    @Test
    @Tag("PGR-STALL-1")
    void whoeverNeedsAPageWaitsWhileTheHostHasNoMemory() throws IOException {
        try (SmallDisk disk = SmallDisk.at(memoryFolder, 64 * PAGE);
                SavedGuest guest = SavedGuest.of(1024, folder, memoryFolder);
                Serving serving = new Serving(guest, false, Optional.empty())) {
            guest.vmm().say("sum", 0, 1024, 1);
            await().atMost(LIMIT).until(() -> serving.pager.state().status() == Status.STALLED);
            assertThat(serving.pager.state().reason().orElseThrow()).contains("ENOMEM");
            assertThat(guest.vmm().hasSaid()).isFalse();
            disk.resize(4096 * PAGE);
            assertThat(guest.vmm().line()).isEqualTo(SavedGuest.sum(0, 1024, 1));
            assertThat(serving.end().status()).isEqualTo(Status.COMPLETED);
            assertThat(told.stalls).isEqualTo(1);
        }
    }

    @Test
    @Tag("PGR-STALL-1")
    void imageThatIsCutShortGivesNoZeros() throws IOException {
        try (SavedGuest guest = guest(1024);
                Serving serving = new Serving(guest, false, Optional.empty())) {
            try (SharedFile file = SharedFile.open(guest.saved())) {
                file.truncate(512 * PAGE);
            }
            guest.vmm().say("read", 1000);
            await().atMost(LIMIT).until(() -> serving.pager.state().status() == Status.STALLED);
            assertThat(guest.vmm().hasSaid()).isFalse();
            assertThat(allocated(guest.ram())).isZero();
            try (FileChannel file = FileChannel.open(guest.saved(), StandardOpenOption.WRITE)) {
                // The truncated file is restored.
                try (SavedGuest same = SavedGuest.of(1024, folder, folder);
                        FileChannel whole = FileChannel.open(same.saved(), StandardOpenOption.READ)) {
                    whole.transferTo(0, whole.size(), file);
                }
            }
            assertThat(guest.vmm().line()).isEqualTo(SavedGuest.content(1000));
            await().atMost(LIMIT).until(() -> told.recoveries == 1);
            assertThat(serving.pager.state().status()).isEqualTo(Status.SERVING);
        }
    }

    @Test
    @Tag("PGR-END-2")
    void vmmThatEndsInTheMiddleEndsThePager() throws IOException {
        try (SavedGuest guest = guest(64);
                Serving serving = new Serving(guest, false, Optional.empty())) {
            assertThat(guest.vmm().ask("read", 1)).isEqualTo(SavedGuest.content(1));
            guest.vmm().close();
            PagerState state = serving.end();
            assertThat(state.status()).isEqualTo(Status.VMM_ENDED);
            assertThat(state.reason()).contains("the VMM has ended");
        }
    }

    /** A debugger may be attached to the VMM just then. */
    @Test
    @Tag("PGR-END-1")
    @Tag("PGR-STALL-1")
    void pagerThatCanNotLeaveTriesAgainAndServesMeanwhile() throws Exception {
        AtomicInteger tries = new AtomicInteger();
        try (SavedGuest guest = guest(64);
                MemoryImage memory = SavedGuest.memory(guest.ram());
                ImagePages image = guest.image();
                VmmMemory vmm = SavedGuest.watch(guest.vmm().pid(), guest.userfaultfd(), false, memory, () -> {
                    throw new IOException("somebody traces it");
                })) {
            Pager.Memory stubborn = new Changed(vmm) {
                @Override
                public void leave() throws IOException {
                    if (tries.incrementAndGet() <= 3) {
                        throw new IOException("somebody traces it");
                    }
                }
            };
            try (Pager pager = Pager.start(
                    "test",
                    stubborn,
                    new OwedPages(image.owedTo(memory)),
                    image,
                    Optional.of(Prefetch.AT_ONCE),
                    told)) {
                await().atMost(LIMIT).until(() -> tries.get() > 0);
                // A page of zeros: it is not owed, and is missing while the memory is watched.
                assertThat(guest.vmm().ask("read", 7)).isEqualTo("0 0");
                PagerState state = pager.end()
                        .orTimeout(LIMIT.toSeconds(), TimeUnit.SECONDS)
                        .join();
                assertThat(state.status()).isEqualTo(Status.COMPLETED);
                assertThat(tries).hasValue(4);
                assertThat(told.stalls).isEqualTo(1);
            }
        }
    }

    /** The memory of a VMM in which a part is replaced. */
    private static class Changed implements Pager.Memory {
        private final VmmMemory vmm;

        Changed(VmmMemory vmm) {
            this.vmm = vmm;
        }

        @Override
        public AddressSpace space() {
            return vmm.space();
        }

        @Override
        public Fd faults() {
            return vmm.faults();
        }

        @Override
        public Fd process() {
            return vmm.process();
        }

        @Override
        public MappedPages mapped() {
            return vmm.mapped();
        }

        @Override
        public void leave() throws IOException {
            vmm.leave();
        }
    }

    /** All pages have arrived, but touches of zero pages must be served until the memory is left. */
    @Test
    @Tag("PGR-END-1")
    void pagerThatCanNotServeWhileItLeavesTriesAgain() throws Exception {
        AtomicBoolean leaves = new AtomicBoolean();
        AtomicBoolean failed = new AtomicBoolean();
        try (SavedGuest guest = guest(64);
                MemoryImage memory = SavedGuest.memory(guest.ram());
                ImagePages image = guest.image();
                VmmMemory vmm = SavedGuest.watch(
                        guest.vmm().pid(),
                        guest.userfaultfd(),
                        false,
                        memory,
                        () -> guest.vmm().say("close"))) {
            Pager.Memory stubborn = new Changed(vmm) {
                @Override
                public AddressSpace space() {
                    AddressSpace real = super.space();
                    return new AddressSpace() {
                        @Override
                        public int take() throws IOException {
                            if (leaves.get() && !failed.getAndSet(true)) {
                                throw new IOException("not now");
                            }
                            return real.take();
                        }

                        @Override
                        public long address(int index) {
                            return real.address(index);
                        }

                        @Override
                        public Giver giver() {
                            return real.giver();
                        }
                    };
                }

                @Override
                public void leave() throws IOException {
                    leaves.set(true);
                    if (!failed.get()) {
                        throw new IOException("somebody traces it");
                    }
                    super.leave();
                }
            };
            try (Pager pager = Pager.start(
                    "test",
                    stubborn,
                    new OwedPages(image.owedTo(memory)),
                    image,
                    Optional.of(Prefetch.AT_ONCE),
                    told)) {
                await().atMost(LIMIT).until(leaves::get);
                assertThat(guest.vmm().ask("read", 7)).isEqualTo("0 0");
                assertThat(ended(pager).status()).isEqualTo(Status.COMPLETED);
                assertThat(failed).isTrue();
            }
        }
    }

    private static PagerState ended(Pager pager) {
        return pager.end().orTimeout(LIMIT.toSeconds(), TimeUnit.SECONDS).join();
    }

    @Test
    @Tag("PGR-END-1")
    void pagerThatHasNotLeftDoesNotSayThatItIsThrough() throws Exception {
        try (SavedGuest guest = guest(64);
                MemoryImage memory = SavedGuest.memory(guest.ram());
                ImagePages image = guest.image();
                VmmMemory vmm = SavedGuest.watch(guest.vmm().pid(), guest.userfaultfd(), false, memory, () -> {})) {
            Pager.Memory broken = new Changed(vmm) {
                @Override
                public void leave() {
                    throw new IllegalStateException("a fault");
                }
            };
            try (Pager pager = Pager.start(
                    "test", broken, new OwedPages(image.owedTo(memory)), image, Optional.of(Prefetch.AT_ONCE), told)) {
                assertThat(ended(pager).status()).isEqualTo(Status.CLOSED);
                assertThat(ended(pager).reason().orElseThrow()).contains("a fault");
            }
        }
    }

    @Test
    @Tag("PGR-AGAIN-1")
    void pagerThatEndsByAFaultSaysWhyAndIsFollowedByOneThatGoesOn() throws Exception {
        try (SavedGuest guest = guest(64);
                MemoryImage memory = SavedGuest.memory(guest.ram());
                ImagePages image = guest.image();
                VmmMemory vmm = SavedGuest.watch(
                        guest.vmm().pid(),
                        guest.userfaultfd(),
                        false,
                        memory,
                        () -> guest.vmm().say("close"))) {
            OwedPages owed = new OwedPages(image.owedTo(memory));
            PageSource faulty = new PageSource() {
                @Override
                public void demand(long page, PagePlacer into) {
                    throw new AssertionError("page " + page + " is too much");
                }

                @Override
                public void prefetch(long first, long count, PagePlacer into) {}
            };
            try (Pager pager = Pager.start("test", vmm, owed, faulty, Optional.empty(), told)) {
                guest.vmm().say("read", 3);
                assertThat(ended(pager).status()).isEqualTo(Status.CLOSED);
                assertThat(ended(pager).reason().orElseThrow()).contains("page 3 is too much");
            }
            try (Pager pager = Pager.start("test", vmm, owed, image, Optional.of(Prefetch.AT_ONCE), told)) {
                assertThat(guest.vmm().line()).isEqualTo(SavedGuest.content(3));
                assertThat(ended(pager).status()).isEqualTo(Status.COMPLETED);
            }
        }
    }

    /** The kernel refuses a range that is in two mappings, with the same error as for an unmapped range. */
    @Test
    @Tag("PGR-SOURCE-1")
    void pagesOnBothSidesOfABorderBetweenTwoMappingsArrive() throws IOException {
        try (SavedGuest guest = guest(1024)) {
            assertThat(guest.vmm().ask("split", 333, 101)).isEqualTo("0");
            try (Serving serving = new Serving(guest, false, Optional.of(Prefetch.AT_ONCE))) {
                assertThat(serving.end().status()).isEqualTo(Status.COMPLETED);
                assertThat(guest.vmm().ask("sum", 0, 1024, 1)).isEqualTo(SavedGuest.sum(0, 1024, 1));
            }
        }
    }

    @Test
    void pagerThatIsClosedLeavesWhoeverWaitsWaiting() throws IOException {
        try (SavedGuest guest = guest(64)) {
            try (Serving serving = new Serving(guest, false, Optional.empty())) {
                assertThat(guest.vmm().ask("read", 1)).isEqualTo(SavedGuest.content(1));
                serving.pager.close();
                assertThat(serving.end().status()).isEqualTo(Status.CLOSED);
            }
            guest.vmm().say("read", 2);
            try (Serving _ = new Serving(guest, true, Optional.empty())) {
                assertThat(guest.vmm().line()).isEqualTo(SavedGuest.content(2));
            }
        }
    }

    @Test
    @Tag("PGR-ORDER-1")
    void workingSetComesAtOnceAndTheRestLater() throws IOException {
        PageBits set = new PageBits(1024);
        set.add(100, 20);
        set.add(800, 3);
        try (SavedGuest guest = guest(1024);
                Serving serving = new Serving(guest, false, Optional.of(new Prefetch(Optional.of(set), NEVER)))) {
            await().atMost(LIMIT).until(() -> serving.pager.state().prefetched() == 20);
            assertThat(guest.vmm().ask("sum", 100, 20, 1)).isEqualTo(SavedGuest.sum(100, 20, 1));
            assertThat(guest.vmm().ask("sum", 800, 3, 1)).isEqualTo(SavedGuest.sum(800, 3, 1));
            assertThat(serving.pager.state().faults()).as("only holes").isEqualTo(3);
            assertThat(guest.vmm().ask("read", 500)).isEqualTo(SavedGuest.content(500));
            assertThat(serving.pager.touched().toString()).isEqualTo("500");
        }
    }

    @Test
    void memoryThatIsNotOnTmpfsIsRefused() throws IOException {
        try (SavedGuest guest = SavedGuest.of(64, folder, Files.createDirectory(folder.resolve("disk")));
                MemoryImage memory = SavedGuest.memory(guest.ram())) {
            assertThatThrownBy(() -> SavedGuest.watch(guest.vmm().pid(), guest.userfaultfd(), false, memory, () -> {}))
                    .hasMessageContaining("tmpfs");
        }
    }
}
