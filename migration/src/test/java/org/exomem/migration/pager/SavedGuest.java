package org.exomem.migration.pager;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.LongStream;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.process.ProcessFd;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;

/**
 * A guest whose memory was saved, and a process with an empty memory for it. Page {@code p} begins with the number
 * {@code p + 1} and ends with {@code -p}. Every eighth page was never written.
 */
final class SavedGuest implements AutoCloseable {
    private static final long PAGE = 4096;

    private final long pages;
    private final Path saved;
    private final Path ram;
    private final TestProgram vmm;
    private final int userfaultfd;

    private SavedGuest(long pages, Path saved, Path ram, TestProgram vmm) throws IOException {
        this.pages = pages;
        this.saved = saved;
        this.ram = ram;
        this.vmm = vmm;
        this.userfaultfd = Integer.parseInt(vmm.line());
    }

    /** @param memory a folder in memory for the process's file */
    static SavedGuest of(long pages, Path folder, Path memory) throws IOException {
        Path saved = folder.resolve("saved");
        try (SharedFile file = SharedFile.create(saved, pages * PAGE);
                Mapping mapping = Mapping.of(file, 0, pages * PAGE)) {
            for (long page = 0; page < pages; page++) {
                if (!isZeros(page)) {
                    mapping.segment().set(JAVA_LONG, page * PAGE, page + 1);
                    mapping.segment().set(JAVA_LONG, page * PAGE + PAGE - Long.BYTES, -page);
                }
            }
        }
        Path ram = memory.resolve("ram");
        SharedFile.create(ram, pages * PAGE).close();
        return new SavedGuest(pages, saved, ram, TestProgram.start(VmmProgram.class, ram));
    }

    static boolean isZeros(long page) {
        return page % 8 == 7;
    }

    static String content(long page) {
        return isZeros(page) ? "0 0" : page + 1 + " " + -page;
    }

    /** The sum over every {@code step}th page. */
    static String sum(long first, long count, long step) {
        return Long.toString(LongStream.iterate(first, page -> page < first + count, page -> page + step)
                .map(page -> isZeros(page) ? 0 : page + 1)
                .sum());
    }

    TestProgram vmm() {
        return vmm;
    }

    long pages() {
        return pages;
    }

    int userfaultfd() {
        return userfaultfd;
    }

    Path saved() {
        return saved;
    }

    Path ram() {
        return ram;
    }

    ImagePages image() throws IOException {
        return new ImagePages(List.of(saved));
    }

    static MemoryImage memory(Path ram) throws IOException {
        return new MemoryImage(List.of(new ImageFile("ram", SharedFile.open(ram))));
    }

    /** Like a process that finds the userfaultfd, in use or not. */
    static VmmMemory watch(int pid, int userfaultfd, boolean used, MemoryImage memory, VmmMemory.Leaving leaving)
            throws IOException {
        ProcessFd process = ProcessFd.open(pid);
        Userfaultfd fetched = used
                ? Userfaultfd.inUse(process.fetch(userfaultfd))
                : Userfaultfd.of(process.fetch(userfaultfd), VmmMemory.FEATURES);
        return new VmmMemory(fetched, process, VmmMemory.find(pid, memory), leaving);
    }

    @Override
    public void close() {
        vmm.close();
    }
}
