package org.exomem.backend.pages;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.exomem.pages.FreePageRules;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageSubscription;

/** The subscriptions to a VM's free pages, each with a thread of its own (PAG-SUB-3). Safe for use by several threads. */
public final class PageSubscribers implements AutoCloseable {
    /** The kinds of messages that a subscriber needs. */
    public static final Set<PageFeed.Kind> KINDS = FreePageRules.KINDS;

    private static final int MOST = 8;

    private final String vm;
    private final Set<PageSubscriber> subscribers = new LinkedHashSet<>();
    private boolean closed;

    /**
     * The source of a subscriber's knowledge.
     *
     * @param messages of {@link #KINDS}; the subscriber closes it
     * @param end the first guest address in bytes after all memory
     */
    public record Source(PageSubscription messages, long end) {}

    public PageSubscribers(String vm) {
        this.vm = vm;
    }

    /**
     * Connects to a VMM's socket and shares the pages with it.
     *
     * @param source called once, on another thread
     * @return completes when the file was sent; fails with {@link IOException} if there are too many subscribers or the
     *     socket can't be connected to, or with the failure of the source
     */
    public CompletableFuture<Void> add(Path socket, Supplier<CompletableFuture<Source>> source) {
        PageSubscriber added = new PageSubscriber(vm, socket, source, this::remove);
        synchronized (this) {
            if (closed || subscribers.size() >= MOST) {
                return CompletableFuture.failedFuture(new IOException(
                        closed ? "the VM is shutting down" : "the VM has " + MOST + " subscribers already"));
            }
            subscribers.add(added);
        }
        return added.start();
    }

    private synchronized void remove(PageSubscriber ended) {
        subscribers.remove(ended);
    }

    synchronized int count() {
        return subscribers.size();
    }

    /** Ends all subscriptions soon, and refuses new ones. */
    @Override
    public void close() {
        List<PageSubscriber> all;
        synchronized (this) {
            closed = true;
            all = List.copyOf(subscribers);
        }
        all.forEach(PageSubscriber::end);
    }
}
