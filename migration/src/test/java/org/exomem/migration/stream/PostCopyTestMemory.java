package org.exomem.migration.stream;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.migration.PageSink;
import org.exomem.migration.stream.destination.PostCopyMemory;
import org.exomem.migration.stream.destination.WantedPage;
import org.exomem.pages.PageBits;

/** A file for pages that arrive after the start of their guest. */
final class PostCopyTestMemory implements PostCopyMemory {
    final PageBits promised;
    final WantedPage want;
    final AtomicInteger cameBack = new AtomicInteger();
    final CompletableFuture<Void> arrived = new CompletableFuture<>();
    volatile boolean abandoned;
    volatile boolean full;
    private final SharedFile file;
    private final PageBits owed;

    PostCopyTestMemory(SharedFile file, PageBits owed, WantedPage want) {
        this.file = file;
        this.want = want;
        this.promised = copy(owed);
        this.owed = copy(owed);
        if (owed.isEmpty()) {
            arrived.complete(null);
        }
    }

    private static PageBits copy(PageBits of) {
        PageBits copy = new PageBits(of.pages());
        copy.copyOf(of);
        return copy;
    }

    @Override
    public PageSink sink(BooleanSupplier counts) {
        return new PageSink() {
            @Override
            public void pages(long first, MemorySegment content) throws IOException {
                for (long at = 0; at < content.byteSize(); at += TestSource.PAGE) {
                    place(first + at / TestSource.PAGE, content.asSlice(at, TestSource.PAGE));
                }
            }

            @Override
            public void zeros(long first, long count) throws IOException {
                for (long page = first; page < first + count; page++) {
                    place(page, MemorySegment.ofArray(new byte[TestSource.PAGE]));
                }
            }

            @Override
            public void free(long first, long count) {
                throw new IllegalStateException("a free page is not owed");
            }
        };
    }

    private void place(long page, MemorySegment content) throws IOException {
        synchronized (owed) {
            if (owed.contains(page)) {
                try (Mapping mapping = Mapping.of(file, 0, file.size())) {
                    MemorySegment.copy(content, 0, mapping.segment(), page * TestSource.PAGE, TestSource.PAGE);
                }
                owed.remove(page);
            }
            if (owed.isEmpty()) {
                arrived.complete(null);
            }
        }
    }

    boolean has(long page) {
        synchronized (owed) {
            return !owed.contains(page);
        }
    }

    @Override
    public boolean isFull() {
        return full;
    }

    @Override
    public PageBits owed() {
        synchronized (owed) {
            return copy(owed);
        }
    }

    @Override
    public void again() {
        cameBack.incrementAndGet();
    }

    @Override
    public void abandon() {
        abandoned = true;
    }

    @Override
    public CompletableFuture<Void> arrived() {
        return arrived;
    }
}
