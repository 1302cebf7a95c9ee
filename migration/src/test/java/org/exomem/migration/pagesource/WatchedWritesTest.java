package org.exomem.migration.pagesource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.stream.IntStream;
import org.awaitility.Awaitility;
import org.exomem.linux.HugePages;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.process.MappedFiles;
import org.exomem.linux.process.NextPid;
import org.exomem.linux.process.ProcessStatus;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.pages.PageBits;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Tests against a process that maps files and writes them. */
class WatchedWritesTest {
    private static final long PAGE = 4096;
    private static final int PAGES = 64;
    private static final long SIZE = PAGES * PAGE;

    private final List<String> notes = new ArrayList<>();
    private Path folder;
    private MemoryImage image;
    private MappingProcess process;

    /** Two files: the pages of the second follow those of the first. */
    @BeforeEach
    void startProcess() throws IOException {
        assumeThat(System.getProperty("os.arch")).isEqualTo("amd64");
        folder = Files.createTempDirectory(Path.of("/dev/shm"), "exomem-watch");
        image = new MemoryImage(List.of(file("a"), file("b")));
        process = MappingProcess.start();
    }

    private ImageFile file(String name) throws IOException {
        return new ImageFile(name, SharedFile.create(path(name), SIZE));
    }

    private Path path(String name) {
        return folder.resolve(name);
    }

    @AfterEach
    void endProcess() throws IOException {
        if (process != null) {
            process.close();
        }
        if (image != null) {
            image.close();
        }
        if (folder != null) {
            Files.deleteIfExists(path("a"));
            Files.deleteIfExists(path("b"));
            Files.delete(folder);
        }
    }

    private WatchedWrites watch() throws IOException {
        return process.watch(image, false, notes::add);
    }

    private static List<Integer> sync(WatchedWrites writes) {
        PageBits into = new PageBits(2L * PAGES);
        writes.sync(into);
        return pages(into);
    }

    private static List<Integer> pages(PageBits bits) {
        return IntStream.range(0, 2 * PAGES).filter(bits::contains).boxed().toList();
    }

    private static List<Integer> range(int from, int to) {
        return IntStream.range(from, to).boxed().toList();
    }

    @Test
    @Tag("MIG-WATCH-1")
    void writesAreToldOnceAndInTheirPagesOfEachFileByWhicheverMapping() throws IOException {
        process.obey("map", path("a"), 0, SIZE);
        process.obey("map", path("b"), 16 * PAGE, 8 * PAGE);
        process.obey("map", path("b"), 0, SIZE);
        process.obey("write", 0, 9 * PAGE, 1);
        try (WatchedWrites writes = watch()) {
            assertThat(sync(writes)).isEmpty();
            process.obey("write", 0, 3 * PAGE + 17, 1);
            process.obey("write", 0, 9 * PAGE, 2);
            process.obey("write", 1, 0, 1);
            process.obey("write", 2, SIZE - 1, 1);
            assertThat(sync(writes)).containsExactly(3, 9, PAGES + 16, 2 * PAGES - 1);
            assertThat(sync(writes)).isEmpty();
            process.obey("write", 2, 16 * PAGE, 2);
            assertThat(sync(writes)).containsExactly(PAGES + 16);
            assertThat(writes.lost()).isEmpty();
            assertThat(notes).isEmpty();
        }
    }

    @Test
    @Tag("MIG-WATCH-3")
    void mappingThatIsNewOrGoneCountsAsWrittenAndTheNewOneIsWatched() throws IOException {
        process.obey("map", path("a"), 0, SIZE);
        try (WatchedWrites writes = watch()) {
            process.obey("map", path("b"), 4 * PAGE, 8 * PAGE);
            assertThat(sync(writes)).isEqualTo(range(PAGES + 4, PAGES + 12));
            process.obey("write", 1, 2 * PAGE, 1);
            assertThat(sync(writes)).containsExactly(PAGES + 6);
            process.obey("unmap", 1);
            assertThat(sync(writes)).isEqualTo(range(PAGES + 4, PAGES + 12));
            assertThat(sync(writes)).isEmpty();
            assertThat(writes.lost()).isEmpty();
        }
    }

    /** The content of {@code maps} is unchanged; only the kernel knows that nothing watches there. */
    @Test
    @Tag("MIG-WATCH-3")
    void mappingThatIsMadeAnewAtTheSamePlaceCountsAsWritten() throws IOException {
        process.obey("map", path("a"), 0, SIZE);
        process.obey("map", path("b"), 0, SIZE);
        try (WatchedWrites writes = watch()) {
            List<MappedFiles.Area> before = MappedFiles.of(process.pid()).areas();
            process.obey("again", 1, path("b"), 0, SIZE);
            assumeThat(MappedFiles.of(process.pid()).areas()).isEqualTo(before);
            process.obey("write", 1, 7 * PAGE, 1);
            assertThat(sync(writes)).containsAll(range(PAGES, 2 * PAGES));
            assertThat(writes.lost()).isEmpty();
            process.obey("write", 1, 7 * PAGE, 2);
            assertThat(sync(writes)).containsExactly(PAGES + 7);
        }
    }

    @Test
    @Tag("MIG-WATCH-4")
    void whatAnotherProcessHasMappedCountsAsWrittenForGoodAndItIsNamedOnce() throws IOException {
        process.obey("map", path("a"), 0, SIZE);
        try (WatchedWrites writes = watch()) {
            assertThat(sync(writes)).isEmpty();
            int other;
            try (MappingProcess another = MappingProcess.start()) {
                other = another.pid();
                another.obey("map", path("a"), 8 * PAGE, 4 * PAGE);
                assertThat(sync(writes)).isEqualTo(range(8, 12));
                assertThat(sync(writes)).isEqualTo(range(8, 12));
            }
            assertThat(sync(writes)).isEqualTo(range(8, 12));
            assertThat(notes).singleElement().asString().contains("process " + other + " (java)");
        }
    }

    @Test
    @Tag("VMM-ACTIVE-2")
    @Tag("VMM-ACTIVE-5")
    void processThatIsWatchedAloneTellsItsOwnWritesAndAnotherUserfaultfdMayHaveWhatIsLeftOut() throws IOException {
        process.obey("map", path("a"), 0, SIZE);
        process.obey("map", path("b"), 0, SIZE);
        WatchedWrites.FilePart guarded =
                new WatchedWrites.FilePart(image.files().getFirst().file(), 8 * PAGE, 4 * PAGE);
        try (MappingProcess another = MappingProcess.start();
                WatchedWrites writes = process.watchAlone(image, List.of(guarded), notes::add);
                Userfaultfd guard = process.fetchAnother()) {
            another.obey("map", path("b"), 0, SIZE);
            another.obey("write", 0, PAGE, 1);
            long mapped = MappedFiles.of(process.pid()).areas().stream()
                    .filter(area -> area.path().equals(path("a").toString()))
                    .findFirst()
                    .orElseThrow()
                    .from();
            guard.register(mapped + 8 * PAGE, 4 * PAGE, EnumSet.of(Userfaultfd.Mode.WRITE_PROTECT));
            process.obey("write", 0, 7 * PAGE, 1);
            process.obey("write", 0, 9 * PAGE, 1);
            process.obey("write", 1, 3 * PAGE, 1);
            PageBits seen = new PageBits(2L * PAGES);
            writes.sync(seen);
            assertThat(pages(seen)).containsExactly(7, 8, 9, 10, 11, PAGES + 3);
            assertThat(writes.unwatchedPages()).isEqualTo(4);
            writes.removeUnwatched(seen);
            assertThat(pages(seen)).containsExactly(7, PAGES + 3);
            assertThat(notes).isEmpty();
        }
    }

    @Test
    @Tag("MIG-WATCH-5")
    void allPagesCountAsWrittenForGoodOnceTheProcessHasEnded() throws IOException {
        process.obey("map", path("a"), 0, SIZE);
        try (WatchedWrites writes = watch()) {
            process.close();
            assertThat(sync(writes)).isEqualTo(range(0, 2 * PAGES));
            assertThat(sync(writes)).isEqualTo(range(0, 2 * PAGES));
            assertThat(writes.lost()).isPresent();
            assertThat(notes).singleElement().asString().contains("can no longer be tracked");
        }
    }

    /** The process does not write this memory any more, whatever is mapped there now. */
    @Test
    @Tag("MIG-WATCH-3")
    void memoryOfAProcessThatBecomesAnotherProgramCountsAsWritten() throws IOException {
        process.obey("map", path("a"), 0, SIZE);
        try (WatchedWrites writes = watch()) {
            process.say("exec");
            Awaitility.await()
                    .atMost(Duration.ofSeconds(10))
                    .until(() -> ProcessStatus.of(process.pid()).name().equals("sleep"));
            assertThat(sync(writes)).containsAll(range(0, PAGES));
        }
    }

    /** The userfaultfd belongs to the process's former memory. */
    @Test
    @Tag("MIG-WATCH-5")
    void programThatBecomesAnotherOneAndMapsTheMemoryAgainIsNotTrusted() throws IOException {
        process.obey("map", path("a"), 0, SIZE);
        try (WatchedWrites writes = watch()) {
            assertThat(sync(writes)).isEmpty();
            process.becomeAnew();
            process.obey("map", path("a"), 0, SIZE);
            process.obey("write", 0, 5 * PAGE, 1);
            assertThat(sync(writes)).isEqualTo(range(0, 2 * PAGES));
            assertThat(writes.lost()).isPresent();
            process.obey("write", 0, 6 * PAGE, 1);
            assertThat(sync(writes)).isEqualTo(range(0, 2 * PAGES));
            assertThat(notes).singleElement().asString().contains("can no longer be tracked");
        }
    }

    @Test
    @Tag("MIG-WATCH-5")
    void processThatEndedOrBecameAnotherProgramBeforeTheWatchBeganIsAClearError() throws IOException {
        process.obey("map", path("a"), 0, SIZE);
        Userfaultfd ofAnother = process.fetch();
        process.becomeAnew();
        assertThatThrownBy(() ->
                        WatchedWrites.begin(process.pid(), ofAnother, image, false, WatchedWrites.ANY_RATE, notes::add))
                .hasMessage("process " + process.pid() + " has none of the guest's memory mapped");
        process.obey("map", path("a"), 0, SIZE);
        Userfaultfd ofNobody = process.fetch();
        process.close();
        assertThatThrownBy(() ->
                        WatchedWrites.begin(process.pid(), ofNobody, image, false, WatchedWrites.ANY_RATE, notes::add))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("process " + process.pid())
                .hasMessageContaining("no such process");
        assertThat(notes).isEmpty();
    }

    /** A userfaultfd does not watch a child's memory. */
    @Test
    @Tag("MIG-WATCH-4")
    void whatAChildOfTheProcessWritesIsNotLost() throws IOException {
        process.obey("map", path("a"), 0, SIZE);
        try (WatchedWrites writes = watch()) {
            assertThat(sync(writes)).isEmpty();
            process.obey("fork", 0, 5 * PAGE, 7);
            assertThat(sync(writes)).isEqualTo(range(0, PAGES));
            process.obey("write", 0, 6 * PAGE, 1);
            assertThat(sync(writes)).isEqualTo(range(0, PAGES));
            assertThat(writes.lost()).isEmpty();
            assertThat(notes).singleElement().asString().contains("of the guest's memory mapped and may write it");
        }
    }

    @Test
    @Tag("MIG-WATCH-5")
    void processThatHasTheNumberOfTheWatchedOneIsNotTakenForIt() throws Exception {
        process.obey("map", path("a"), 0, SIZE);
        try (WatchedWrites writes = watch()) {
            int pid = process.pid();
            process.close();
            try (MappingProcess another = NextPid.start(pid, MappingProcess::start, MappingProcess::pid)) {
                assertThat(sync(writes)).isEqualTo(range(0, 2 * PAGES));
                assertThat(writes.lost()).contains("process " + pid + " has ended");
                another.obey("map", path("a"), 0, SIZE);
                another.obey("write", 0, 5 * PAGE, 1);
                assertThat(sync(writes)).isEqualTo(range(0, 2 * PAGES));
            }
        }
    }

    @Test
    @Tag("VMM-17")
    void userfaultfdThatIsClosedOverThereGoesOnAndTheWatchEndsWithTheLastOne() throws IOException {
        process.obey("map", path("a"), 0, SIZE);
        try (WatchedWrites writes = watch()) {
            process.obey("close");
            process.obey("write", 0, 5 * PAGE, 1);
            assertThat(sync(writes)).containsExactly(5);
        }
        assertThat(Files.readString(Path.of("/proc", Integer.toString(process.pid()), "smaps")))
                .doesNotContainPattern("VmFlags:.* uw");
    }

    @Test
    @Tag("MIG-WATCH-7")
    void memoryOfWhichAnotherUserfaultfdWatchesAllIsAClearError() throws IOException {
        process.obey("map", path("a"), 0, SIZE);
        MappedFiles.Area area = area("a");
        try (Userfaultfd first = process.fetchAnother()) {
            first.register(area.from(), area.length(), EnumSet.of(Userfaultfd.Mode.WRITE_PROTECT));
            assertThatThrownBy(this::watch).hasMessageContaining("another userfaultfd is registered for it");
        }
    }

    @Test
    @Tag("MIG-WATCH-7")
    void partThatAnotherUserfaultfdWatchesIsComparedAndTheRestIsWatched() throws IOException {
        process.obey("map", path("a"), 0, SIZE);
        MappedFiles.Area area = area("a");
        try (Userfaultfd first = process.fetchAnother()) {
            first.register(area.from() + 8 * PAGE, 8 * PAGE, EnumSet.of(Userfaultfd.Mode.MISSING));
            try (WatchedWrites writes = watch()) {
                assertThat(notes).singleElement().asString().contains("another userfaultfd is registered for it");
                process.obey("write", 0, 3 * PAGE, 1);
                assertThat(sync(writes)).containsExactly(3, 8, 9, 10, 11, 12, 13, 14, 15);

                // The guard leaves a part unwatched.
                first.unregister(area.from() + 8 * PAGE, 4 * PAGE);
                process.obey("write", 0, 9 * PAGE, 1);
                assertThat(sync(writes)).contains(8, 9, 10, 11, 12, 13, 14, 15);
                assertThat(notes).hasSize(1);
            }
        }
    }

    private MappedFiles.Area area(String file) throws IOException {
        return MappedFiles.of(process.pid()).areas().stream()
                .filter(mapped -> mapped.path().equals(path(file).toString()))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void processThatHasNoneOfTheMemoryIsRefused() throws IOException {
        assertThatThrownBy(() -> WatchedWrites.expectMapped(process.pid(), image))
                .hasMessageContaining("process " + process.pid() + " (java)")
                .hasMessageContaining("has none of the guest's memory mapped");
        assertThatThrownBy(this::watch).hasMessageContaining("has none of the guest's memory mapped");
    }

    @Test
    @Tag("MIG-WATCH-1")
    void writesToHugePagesAreToldAsTheWholeHugePage() throws IOException {
        try (HugePages _ = HugePages.reserve(2);
                SharedFile file = SharedFile.hugeMemfd("huge", 2 * HugePages.SIZE, HugePages.SIZE);
                MemoryImage huge = new MemoryImage(
                        List.of(new ImageFile("huge", new SharedFile(file.fd().duplicate()))))) {
            long each = HugePages.SIZE / PAGE;
            process.obey(
                    "map",
                    "/proc/" + ProcessHandle.current().pid() + "/fd/"
                            + file.fd().number(),
                    0,
                    2 * HugePages.SIZE);
            process.obey("write", 0, 0, 1);
            try (WatchedWrites writes = process.watch(huge, false, notes::add)) {
                PageBits into = new PageBits(huge.pages());
                writes.sync(into);
                assertThat(into.count()).isZero();
                process.obey("write", 0, HugePages.SIZE + 5 * PAGE, 1);
                writes.sync(into);
                assertThat(into.count()).isEqualTo(each);
                assertThat(into.contains(each)).isTrue();
                assertThat(into.contains(2 * each - 1)).isTrue();
                into.clear();
                process.obey("write", 0, 3 * PAGE, 1);
                writes.sync(into);
                assertThat(into.count()).isEqualTo(each);
                assertThat(into.contains(3)).isTrue();
                assertThat(writes.lost()).isEmpty();
                assertThat(notes).isEmpty();
            }
        }
    }

    @Test
    @Tag("MIG-WATCH-1")
    void hundredsOfMappingsAreWatched() throws IOException {
        for (int i = 0; i < 300; i++) {
            // In descending order, so that no two mappings are merged.
            process.obey("map", path("a"), (PAGES - 1 - i % PAGES) * PAGE, PAGE);
        }
        try (WatchedWrites writes = watch()) {
            assertThat(sync(writes)).isEmpty();
            process.obey("write", 299, 0, 1);
            assertThat(sync(writes)).containsExactly(PAGES - 1 - 299 % PAGES);
        }
    }
}
