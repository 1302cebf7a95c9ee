package org.exomem.backend.pages;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.MessageSocket;
import org.exomem.linux.Poll;
import org.exomem.linux.UnixSockets;
import org.exomem.pages.FreePageRules;
import org.exomem.pages.PageSubscription;
import org.exomem.pages.Pages;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Shares a VM's free pages with one VMM (spec/pages.md), on a thread of its own. It writes the messages of the VM's devices
 * to a bitmap, and answers the VMM's requests in it. It never waits for the VM or its VMM.
 */
final class PageSubscriber {
    private static final Logger LOG = LoggerFactory.getLogger(PageSubscriber.class);

    /** The longest time by which the bitmap is behind the devices (PAG-BIT-5). */
    private static final Duration LOOK_AGAIN = Duration.ofMillis(20);

    private static final int SEND_LIMIT_MILLIS = 500;
    private static final int GREETING = 16;

    private final String vm;
    private final Path path;
    private final Supplier<CompletableFuture<PageSubscribers.Source>> source;
    private final Consumer<PageSubscriber> ended;
    private final CompletableFuture<Void> begun = new CompletableFuture<>();
    private volatile boolean open = true;

    PageSubscriber(
            String vm,
            Path path,
            Supplier<CompletableFuture<PageSubscribers.Source>> source,
            Consumer<PageSubscriber> ended) {
        this.vm = vm;
        this.path = path;
        this.source = source;
        this.ended = ended;
    }

    CompletableFuture<Void> start() {
        Thread.ofPlatform().name("pages-" + vm).daemon().start(this::run);
        return begun;
    }

    /** Ends it soon. Any thread may call this. */
    void end() {
        open = false;
    }

    private void run() {
        try {
            share(source.get().join());
        } catch (CompletionException e) {
            begun.completeExceptionally(e.getCause() == null ? e : e.getCause());
        } catch (RuntimeException e) {
            begun.completeExceptionally(e);
        } finally {
            begun.completeExceptionally(new IOException("can't share its free pages on " + path));
            ended.accept(this);
        }
    }

    private void share(PageSubscribers.Source from) {
        try (PageSubscription messages = from.messages();
                PageBitmap bitmap = PageBitmap.of(Pages.floor(from.end()));
                EventFd changed = new EventFd()) {
            share(bitmap, new FreePageRules(messages, new BitmapPages(bitmap)), changed);
        } catch (LinuxException e) {
            begun.completeExceptionally(new IOException("can't share its free pages: " + e.getMessage(), e));
        }
    }

    private void share(PageBitmap bitmap, FreePageRules rules, EventFd changed) {
        try (MessageSocket socket = new MessageSocket(UnixSockets.connectNow(path))) {
            rules.take();
            greet(socket, List.of(bitmap.fd(), changed.fd()));
            LOG.info("{}: shares its free pages with the VMM on {}", vm, path);
            begun.complete(null);
            shareUntilItGoes(socket, bitmap, rules, changed);
            LOG.info("{}: no longer shares its free pages with the VMM on {}", vm, path);
        } catch (LinuxException e) {
            if (!begun.completeExceptionally(
                    new IOException("can't share its free pages on " + path + ": " + e.getMessage(), e))) {
                LOG.info("{}: sharing free pages with the VMM on {} ended: {}", vm, path, e.getMessage());
            }
        } catch (InternalError e) {
            // The VMM has the file too, and has truncated it (PAG-SUB-5).
            LOG.warn("{}: sharing free pages with the VMM on {} ended: the VMM truncated the shared file", vm, path);
        }
    }

    /** PAG-SUB-1, PAG-SUB-2. */
    private static void greet(MessageSocket socket, List<Fd> fds) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment greeting = arena.allocate(GREETING, Long.BYTES);
            greeting.set(JAVA_LONG, 0, PageBitmap.MAGIC);
            greeting.set(JAVA_INT, Long.BYTES, PageBitmap.VERSION);
            socket.send(greeting, fds, SEND_LIMIT_MILLIS);
        }
    }

    private void shareUntilItGoes(MessageSocket socket, PageBitmap bitmap, FreePageRules rules, EventFd changed)
            throws LinuxException {
        long done = 0;
        while (open) {
            if (Poll.readable(socket.fd(), LOOK_AGAIN) && !takeWakeUps(socket)) {
                return;
            }
            long wanted = bitmap.wanted();
            boolean news = rules.take();
            if (wanted != done) {
                // Processes all messages that were offered before the VMM's request (PAG-BIT-6).
                rules.synced();
                done = wanted;
                bitmap.done(done);
                news = true;
            }
            if (news) {
                bitmap.changed();
                changed.signal();
            }
        }
    }

    /** Reads what the VMM sent; the content is ignored. Returns false if the VMM has gone. */
    private static boolean takeWakeUps(MessageSocket socket) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            List<Fd> unwanted = new ArrayList<>();
            int received = socket.receive(arena.allocate(GREETING), unwanted);
            unwanted.forEach(Fd::close);
            return received != 0;
        }
    }
}
