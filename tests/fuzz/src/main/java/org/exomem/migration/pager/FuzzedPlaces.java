package org.exomem.migration.pager;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.exomem.linux.Errno;
import org.exomem.migration.PageSink;
import org.exomem.migration.stream.destination.PostCopyMemory;
import org.exomem.pages.PageBits;
import org.exomem.pages.Pages;

/**
 * Memory with owed pages, which are placed as in a VMM. A model replaces the kernel: it never overwrites a page, and
 * places a few pages at a time.
 */
public final class FuzzedPlaces implements PostCopyMemory {
    private static final long ADDRESS = 1L << 32;

    private final byte[] bytes;
    private final boolean[] present;
    private final long most;
    private final OwedPages owed;
    private final PagePlacer placer;
    private final CompletableFuture<Void> arrived = new CompletableFuture<>();
    private int again;
    private boolean abandoned;

    /** @param most pages that the kernel copies at once */
    public FuzzedPlaces(PageBits owed, long most) {
        this.bytes = new byte[(int) Pages.bytes(owed.pages())];
        this.present = new boolean[(int) owed.pages()];
        this.most = most;
        this.owed = new OwedPages(owed);
        MappedPages mapped = new MappedPages(List.of(new MappedPages.Range(ADDRESS, 0, owed.pages())));
        this.placer = new PagePlacer(new Kernel(), mapped, this.owed);
        look();
    }

    private void look() {
        if (owed.left() == 0) {
            arrived.complete(null);
        }
    }

    /** The content of all memory. */
    public byte[] bytes() {
        return bytes.clone();
    }

    /** How often the source has connected again. */
    public int timesAgain() {
        return again;
    }

    public boolean isAbandoned() {
        return abandoned;
    }

    @Override
    public PageSink sink(BooleanSupplier counts) {
        return new PageSink() {
            @Override
            public void pages(long first, MemorySegment content) throws IOException {
                placer.copyOwed(first, Pages.floor(content.byteSize()), content.address());
                look();
            }

            @Override
            public void zeros(long first, long count) {
                placer.zeros(first, count);
                look();
            }

            @Override
            public void free(long first, long count) {
                throw new IllegalStateException("a free page is not owed");
            }
        };
    }

    @Override
    public PageBits owed() {
        return owed.copy();
    }

    @Override
    public void again() {
        again++;
    }

    @Override
    public void abandon() {
        abandoned = true;
    }

    @Override
    public CompletableFuture<Void> arrived() {
        return arrived;
    }

    private final class Kernel implements AddressSpace.Giver {
        @Override
        public long copy(long address, long length, long content) {
            MemorySegment from = MemorySegment.ofAddress(content).reinterpret(length);
            long done = 0;
            while (done < length && done < Pages.bytes(most)) {
                int page = (int) Pages.floor(address - ADDRESS + done);
                if (present[page]) {
                    return done > 0 ? done : -Errno.EEXIST;
                }
                MemorySegment.ofArray(bytes)
                        .asSlice(Pages.bytes(page), Pages.SIZE)
                        .copyFrom(from.asSlice(done, Pages.SIZE));
                present[page] = true;
                done += Pages.SIZE;
            }
            return done;
        }

        @Override
        public long zeros(long address, long length) {
            return length;
        }

        @Override
        public long wake(long address, long length) {
            return 0;
        }
    }
}
