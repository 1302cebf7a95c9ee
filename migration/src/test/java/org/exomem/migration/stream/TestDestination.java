package org.exomem.migration.stream;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.migration.stream.destination.BegunMigration;
import org.exomem.migration.stream.destination.Destination;
import org.exomem.migration.stream.destination.FilePages;
import org.exomem.migration.stream.destination.PageTarget;
import org.exomem.migration.stream.destination.PostCopyMemory;
import org.exomem.migration.stream.destination.ReceivedMigration;
import org.exomem.migration.stream.destination.WantedPage;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;

/** A destination with memory of its own, which records all calls. */
final class TestDestination implements Destination, AutoCloseable {
    final MemoryDescription memory;
    final SharedFile file;
    final Map<String, ByteArrayOutputStream> states = new LinkedHashMap<>();
    final List<IOException> failures = new CopyOnWriteArrayList<>();
    final List<IOException> turnedAway = new CopyOnWriteArrayList<>();
    volatile boolean ready;
    volatile boolean started;
    volatile boolean closed;
    volatile String refuses = "";
    final CountDownLatch lost = new CountDownLatch(1);
    volatile Callable<?> whileGettingReady = () -> true;
    /** The guest may touch memory while it starts. */
    volatile Callable<?> whileStarting = () -> true;

    volatile int timesReady;
    volatile int timesStarted;
    /** The owed pages, once they are listed. */
    volatile @Nullable PostCopyTestMemory owing;

    /** The pages that were owed before the guest stopped at the source. */
    volatile @Nullable PageBits promised;

    volatile @Nullable BegunMigration begun;
    /** The pages that an earlier process has not received. */
    volatile PageBits absent = new PageBits(0);

    TestDestination(MemoryDescription memory) throws IOException {
        this.memory = memory;
        this.file = SharedFile.memfd("destination", memory.pages() * memory.pageSize());
    }

    @Override
    public PageTarget open(MemoryDescription described, String source) throws IOException {
        if (!described.equals(memory)) {
            throw new IOException("not this memory: " + described);
        }
        FilePages pages = new FilePages(memory, List.of(file));
        return new PageTarget() {
            @Override
            public void pages(long first, MemorySegment content) throws IOException {
                refuse("pages");
                pages.pages(first, content);
            }

            @Override
            public void zeros(long first, long count) throws IOException {
                pages.zeros(first, count);
            }

            @Override
            public void free(long first, long count) throws IOException {
                pages.free(first, count);
            }

            @Override
            public void close() {
                closed = true;
                pages.close();
            }
        };
    }

    private void refuse(String what) throws IOException {
        if (refuses.equals(what)) {
            throw new IOException("no " + what + " today");
        }
    }

    @Override
    public OutputStream deviceState(String name) throws IOException {
        refuse("state");
        ByteArrayOutputStream state = new ByteArrayOutputStream();
        states.put(name, state);
        return state;
    }

    @Override
    public void ready(ReceivedMigration received) throws IOException {
        refuse("ready");
        try {
            whileGettingReady.call();
        } catch (Exception e) {
            throw new IOException(e);
        }
        timesReady++;
        ready = true;
    }

    @Override
    public void listening(PageBits pages) throws IOException {
        refuse("promise");
        promised = new PageBits(pages.pages());
        promised.copyOf(pages);
    }

    @Override
    public PostCopyMemory owing(BegunMigration migration, PageBits owed, WantedPage want) {
        begun = migration;
        PostCopyTestMemory pages = new PostCopyTestMemory(file, owed, want);
        owing = pages;
        return pages;
    }

    @Override
    public PageBits absent() {
        return absent;
    }

    @Override
    public void start() throws IOException {
        refuse("start");
        timesStarted++;
        try {
            whileStarting.call();
        } catch (Exception e) {
            throw new IOException(e);
        }
        started = true;
    }

    @Override
    public void failed(IOException why) {
        failures.add(why);
    }

    @Override
    public void lost(IOException why) {
        lost.countDown();
    }

    @Override
    public void turnedAway(String who, IOException why) {
        turnedAway.add(why);
    }

    /** A device's state as it arrived; empty if none did. */
    byte[] state(String name) {
        return states.getOrDefault(name, new ByteArrayOutputStream()).toByteArray();
    }

    byte[] content() throws IOException {
        try (Mapping mapping = Mapping.of(file, 0, file.size())) {
            return mapping.segment().toArray(ValueLayout.JAVA_BYTE);
        }
    }

    @Override
    public void close() {
        file.close();
    }
}
