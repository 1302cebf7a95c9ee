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

/** Those who share a VM's free pages with its VMM, each on a thread of its own. Safe for use by several threads. */
public final class PageSubscribers implements AutoCloseable {
    /** What a subscriber needs to hear of. */
    public static final Set<PageFeed.Kind> KINDS = FreePageRules.KINDS;

    private static final int MOST = 8;

    private final String vm;
    private final Set<PageSubscriber> subscribers = new LinkedHashSet<>();
    private boolean closed;

    /**
     * Where a subscriber gets from what it tells.
     *
     * @param messages of {@link #KINDS}; the subscriber closes it
     * @param end the first guest address in bytes behind all memory
     */
    public record Source(PageSubscription messages, long end) {}

    public PageSubscribers(String vm) {
        this.vm = vm;
    }

    /**
     * Connects to a socket and shares with who listens there.
     *
     * @param source is asked once, on another thread
     * @return is done when the other side has been sent the file; fails with {@link IOException} if there are too many, or nobody
     *     listens there, and as the source does
     */
    public CompletableFuture<Void> add(Path socket, Supplier<CompletableFuture<Source>> source) {
        PageSubscriber added = new PageSubscriber(vm, socket, source, this::remove);
        synchronized (this) {
            if (closed || subscribers.size() >= MOST) {
                return CompletableFuture.failedFuture(
                        new IOException(closed ? "it is ending" : "it has " + MOST + " subscribers already"));
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

    /** Ends all connections, soon. */
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
