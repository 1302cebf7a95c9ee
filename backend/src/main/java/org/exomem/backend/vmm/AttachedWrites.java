package org.exomem.backend.vmm;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.exomem.backend.vm.VmmProcesses.Part;
import org.exomem.backend.vm.WatchedMemory;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.process.ForeignUserfaultfd;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pagesource.HoleSource;
import org.exomem.migration.pagesource.WatchedWrites;
import org.exomem.pages.PageBits;
import org.exomem.pages.Pages;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds what a VMM's process writes, with a userfaultfd that is not left open there (VMM-ACTIVE-1). For one thread at a
 * time.
 */
final class AttachedWrites implements WatchedMemory {
    private static final Logger LOG = LoggerFactory.getLogger(AttachedWrites.class);

    private final MemoryImage image;
    private final WatchedWrites writes;
    private final HoleSource holes;
    private final PageBits seen;
    private final PageBits empty;
    private final Duration stopped;

    private AttachedWrites(MemoryImage image, WatchedWrites writes, Duration stopped) {
        this.image = image;
        this.writes = writes;
        this.stopped = stopped;
        this.holes = new HoleSource(image);
        this.seen = new PageBits(image.pages());
        this.empty = new PageBits(image.pages());
    }

    /** See {@link org.exomem.backend.vm.VmmProcesses#watch}. */
    static AttachedWrites begin(Path qmp, List<Part> parts, List<Part> guarded) throws IOException {
        MemoryImage image = image(parts);
        try (QmpVmm vmm = QmpVmm.connect(qmp);
                WatchedVmm process = vmm.watched()) {
            // VMM-ACTIVE-6
            vmm.directWrites().refusePins();
            WatchedWrites.expectMapped(process.pid(), image);
            ForeignUserfaultfd.Fetched fetched = process.userfaultfd();
            WatchedWrites writes = WatchedWrites.beginAlone(
                    process.pid(),
                    Userfaultfd.of(fetched.fd(), WatchedWrites.FEATURES),
                    image,
                    guarded.stream()
                            .map(part -> new WatchedWrites.FilePart(part.file(), part.offset(), part.length()))
                            .toList(),
                    note -> LOG.debug("{}: {}", qmp, note));
            return new AttachedWrites(image, writes, fetched.stopped());
        } catch (IOException | RuntimeException e) {
            image.close();
            throw e;
        }
    }

    private static MemoryImage image(List<Part> parts) throws IOException {
        List<ImageFile> files = new ArrayList<>();
        try {
            for (Part part : parts) {
                SharedFile file = part.file();
                if (files.stream().noneMatch(other -> other.file().isSameFileAs(file))) {
                    files.add(new ImageFile(
                            file.toString(), new SharedFile(file.fd().duplicate())));
                }
            }
            return new MemoryImage(files);
        } catch (IOException | RuntimeException e) {
            files.forEach(ImageFile::close);
            throw e;
        }
    }

    @Override
    public long watched() {
        return Pages.bytes(image.pages() - writes.unwatchedPages());
    }

    @Override
    public Duration stopped() {
        return stopped;
    }

    @Override
    public long written() throws IOException {
        seen.clear();
        writes.sync(seen);
        if (writes.lost().isPresent()) {
            throw new IOException(writes.lost().orElseThrow());
        }
        // The page tables show pages that were given back to the host as written.
        holes.synced();
        empty.clear();
        writes.removeUnwatched(seen);
        holes.collect(empty, seen);
        seen.andNot(empty);
        return Pages.bytes(seen.count());
    }

    @Override
    public void close() {
        writes.close();
        image.close();
    }
}
