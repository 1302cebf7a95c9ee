package org.exomem.migration.image;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.OptionalLong;
import org.exomem.linux.SharedFile;
import org.exomem.migration.GuestPages;
import org.exomem.pages.Pages;

/**
 * A guest's memory as the {@link Pages} of whole files, one after the other, including parts of a file that the guest can't
 * see now because its VMM shadows them. Owns its files. Safe for use by several threads.
 */
public final class MemoryImage implements GuestPages, AutoCloseable {
    private final List<ImageFile> files;
    private final long[] firstPages;
    private final long pages;

    /**
     * @param files at least one; owned from now on, also if this fails
     * @throws IllegalArgumentException if a size is 0 or not a multiple of {@link Pages#SIZE}
     */
    public MemoryImage(List<ImageFile> files) {
        this.files = List.copyOf(files);
        this.firstPages = new long[files.size()];
        long at = 0;
        for (int i = 0; i < firstPages.length; i++) {
            ImageFile file = files.get(i);
            if (file.size() == 0 || !Pages.isWhole(file.size())) {
                close();
                throw new IllegalArgumentException("the memory file " + file.name() + " has " + file.size()
                        + " bytes, which is not a whole number of pages");
            }
            firstPages[i] = at;
            at = Math.addExact(at, Pages.floor(file.size()));
        }
        this.pages = at;
    }

    public List<ImageFile> files() {
        return files;
    }

    /** The number of a file's first page; empty if the file is not one of the image's. */
    public OptionalLong firstPage(SharedFile of) {
        for (int i = 0; i < firstPages.length; i++) {
            if (files.get(i).file().isSameFileAs(of)) {
                return OptionalLong.of(firstPages[i]);
            }
        }
        return OptionalLong.empty();
    }

    @Override
    public long pages() {
        return pages;
    }

    @Override
    public int pageSize() {
        return Pages.SIZE;
    }

    /** The index of the file with page {@code from}. */
    private int fileOf(long from) {
        int index = firstPages.length - 1;
        while (firstPages[index] > from) {
            index--;
        }
        return index;
    }

    private long endOf(int index) {
        return firstPages[index] + Pages.floor(files.get(index).size());
    }

    @Override
    public long nextData(long from) throws IOException {
        for (long page = from; page < pages; ) {
            int index = fileOf(page);
            ImageFile file = files.get(index);
            long offset = file.nextData(Pages.bytes(page - firstPages[index]));
            if (offset < file.size()) {
                return firstPages[index] + Pages.floor(offset);
            }
            page = endOf(index);
        }
        return pages;
    }

    @Override
    public long nextHole(long from) throws IOException {
        for (long page = from; page < pages; ) {
            int index = fileOf(page);
            ImageFile file = files.get(index);
            // A page that is only partly a hole is data.
            long hole = firstPages[index] + Pages.ceil(file.nextHole(Pages.bytes(page - firstPages[index])));
            if (hole < endOf(index)) {
                return hole;
            }
            page = endOf(index);
        }
        return pages;
    }

    @Override
    public void read(long first, MemorySegment into) throws IOException {
        long done = 0;
        while (done < into.byteSize()) {
            long page = first + Pages.floor(done);
            int index = fileOf(page);
            long length = Math.min(into.byteSize() - done, Pages.bytes(endOf(index) - page));
            files.get(index).read(into.asSlice(done, length), Pages.bytes(page - firstPages[index]));
            done += length;
        }
    }

    /**
     * Gives pages back to the host. They become zeros, or missing in memory that is watched for missing pages.
     *
     * @throws IOException if the file system refuses
     */
    public void punch(long first, long count) throws IOException {
        for (long page = first; page < first + count; ) {
            int index = fileOf(page);
            long end = Math.min(first + count, endOf(index));
            files.get(index).file().punchHole(Pages.bytes(page - firstPages[index]), Pages.bytes(end - page));
            page = end;
        }
    }

    @Override
    public void close() {
        files.forEach(ImageFile::close);
    }
}
