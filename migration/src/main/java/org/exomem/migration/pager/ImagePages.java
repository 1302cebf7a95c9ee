package org.exomem.migration.pager;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.pages.PageBits;
import org.exomem.pages.Pages;

/**
 * The RAM files of a saved guest as a source of pages. The kernel copies from them; nothing is read into this process. Holes
 * are zeros, and not owed. The files must not change meanwhile. If one is truncated, its pages become unavailable, without a
 * signal.
 */
public final class ImagePages implements PageSource, AutoCloseable {
    private final MemoryImage image;
    private final List<Mapping> mappings = new ArrayList<>();
    private final long[] firstPage;
    private final long[] address;

    /**
     * @param files in the order of the guest's memory
     * @throws IOException if one can't be read
     */
    public ImagePages(List<Path> files) throws IOException {
        List<ImageFile> opened = new ArrayList<>();
        try {
            for (Path file : files) {
                opened.add(new ImageFile(file.toString(), SharedFile.openForReading(file)));
            }
        } catch (IOException | RuntimeException e) {
            opened.forEach(ImageFile::close);
            throw e;
        }
        image = new MemoryImage(opened);
        firstPage = new long[files.size() + 1];
        address = new long[files.size()];
        try {
            for (int i = 0; i < address.length; i++) {
                ImageFile file = image.files().get(i);
                Mapping mapping = Mapping.forReading(file.file(), 0, file.size());
                mappings.add(mapping);
                address[i] = mapping.segment().address();
                firstPage[i + 1] = firstPage[i] + Pages.floor(file.size());
            }
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    /** The sizes of the files in bytes, in their order. */
    public List<Long> sizes() {
        return image.files().stream().map(ImageFile::size).toList();
    }

    /**
     * The pages that have content here and are not in a memory yet (PGR-OWED-1, PGR-OWED-2).
     *
     * @throws IOException if a file was truncated: its end would look like a hole, and the guest would find zeros there
     */
    public PageBits owedTo(MemoryImage memory) throws IOException {
        PageBits owed = PresentPages.of(image);
        for (ImageFile file : image.files()) {
            file.expectWhole();
        }
        owed.andNot(PresentPages.of(memory));
        return owed;
    }

    @Override
    public void demand(long page, PagePlacer into) throws IOException {
        int file = fileOf(page);
        into.copy(page, 1, address[file] + Pages.bytes(page - firstPage[file]));
    }

    @Override
    public void prefetch(long first, long count, PagePlacer into) throws IOException {
        for (long page = first; page < first + count; ) {
            int file = fileOf(page);
            long pages = Math.min(first + count, firstPage[file + 1]) - page;
            long offset = Pages.bytes(page - firstPage[file]);
            // At once, not page by page during the copy.
            mappings.get(file).populateToRead(offset, Pages.bytes(pages));
            into.copy(page, pages, address[file] + offset);
            page += pages;
        }
    }

    private int fileOf(long page) {
        int file = 0;
        while (page >= firstPage[file + 1]) {
            file++;
        }
        return file;
    }

    /** Do not call this while a pager uses it. */
    @Override
    public void close() {
        mappings.forEach(Mapping::close);
        image.close();
    }
}
