package org.exomem.conform.broken;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Supplier;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.ListeningSocket;
import org.exomem.linux.Poll;
import org.exomem.linux.SocketAccess;
import org.exomem.linux.UnixSockets;

/**
 * Listens on a socket like a back-end, relays everything to a real back-end and back, and adds one fault. A thread of
 * its own does this until this is closed.
 */
final class Saboteur implements AutoCloseable {
    private static final int BACKLOG = 8;
    private static final Duration TICK = Duration.ofMillis(1);
    private static final Duration REST = Duration.ofSeconds(1);

    private final Path backEnd;
    private final Supplier<Tampering> tampering;
    private final ListeningSocket listening;
    private final EventFd wake = new EventFd();
    private final Thread thread;
    private final List<Conversation> conversations = new ArrayList<>();
    private final List<Throwable> failures = new CopyOnWriteArrayList<>();
    private volatile boolean closed;
    private volatile boolean armed;
    private boolean dead;

    /**
     * Begins to listen.
     *
     * @param socket path to listen on; must not exist
     * @param backEnd the socket of the real back-end
     * @param tampering creates the fault for each connection that begins while this is armed
     */
    Saboteur(Path socket, Path backEnd, Supplier<Tampering> tampering) throws IOException {
        this.backEnd = backEnd;
        this.tampering = tampering;
        this.listening = ListeningSocket.open(socket, BACKLOG, SocketAccess.OWNER_ONLY);
        this.thread = Thread.ofPlatform().daemon().name("saboteur").start(this::run);
    }

    Path socket() {
        return listening.path();
    }

    /** Adds the fault from the next connection on. */
    void arm() {
        armed = true;
    }

    /** Adds no fault from the next connection on; a back-end that has died stays dead. */
    void disarm() {
        armed = false;
    }

    /** Unexpected failures of the saboteur itself; should be empty. */
    List<Throwable> failures() {
        return List.copyOf(failures);
    }

    private void run() {
        try {
            while (!closed) {
                await();
                wake.drain();
                step();
                Fd front = UnixSockets.accept(listening.fd());
                if (front != null) {
                    // The previous connection may have closed just now: the back-end must know that before the new one
                    // comes.
                    step();
                    begin(front);
                }
            }
        } catch (IOException | RuntimeException | Error e) {
            failures.add(e);
        } finally {
            conversations.forEach(Conversation::close);
        }
    }

    private void begin(Fd front) throws IOException {
        if (dead) {
            front.close();
            return;
        }
        conversations.forEach(Conversation::secondConnection);
        Tampering own = armed ? tampering.get() : Tampering.NONE;
        try {
            conversations.add(new Conversation(front, UnixSockets.connect(backEnd), own, () -> dead = true));
        } catch (IOException e) {
            front.close();
            failures.add(e);
        }
    }

    private void step() {
        for (Iterator<Conversation> all = conversations.iterator(); all.hasNext(); ) {
            Conversation conversation = all.next();
            boolean goesOn;
            try {
                goesOn = conversation.step();
            } catch (InternalError e) {
                // A file of guest memory was truncated: the back-end can't use it either.
                goesOn = false;
            } catch (RuntimeException | Error e) {
                failures.add(e);
                goesOn = false;
            }
            if (!goesOn) {
                conversation.close();
                all.remove();
            }
        }
    }

    private void await() throws IOException {
        List<Fd> all = new ArrayList<>(List.of(wake.fd(), listening.fd()));
        boolean ticks = false;
        for (Conversation conversation : conversations) {
            all.addAll(conversation.watched());
            ticks |= conversation.needsTicks();
        }
        Poll.anyReadable(all, ticks ? TICK : REST);
    }

    @Override
    public void close() {
        closed = true;
        wake.signal();
        try {
            thread.join(5000);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        listening.close();
        wake.close();
    }
}
