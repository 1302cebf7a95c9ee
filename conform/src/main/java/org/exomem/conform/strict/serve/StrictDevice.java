package org.exomem.conform.strict.serve;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.exomem.conform.run.Expectations;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.strict.observe.Account;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.scene.MemState;
import org.exomem.conform.strict.scene.Offer;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conform.wire.Transcript;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.ListeningSocket;
import org.exomem.linux.Poll;
import org.exomem.linux.SocketAccess;
import org.exomem.linux.UnixSockets;
import org.jspecify.annotations.Nullable;

/**
 * A balloon or memory device that listens for a front-end, serves it and its driver, and reports their faults. {@link
 * #run} is for one thread; any thread may call the other methods.
 */
public final class StrictDevice implements AutoCloseable {
    private static final Duration A_WHILE = Duration.ofMillis(200);

    private final Offer offer;
    private final MemState mem;
    private final Provocation provocation;
    private final double patience;
    private final ListeningSocket listening;
    private final EventFd wake = new EventFd();
    private volatile boolean stopped;
    private volatile boolean scriptDone;
    private volatile boolean connected;

    /**
     * Begins to listen.
     *
     * @param mem the region of a memory device; a balloon does not use it
     * @param patience factor for all times after which something counts as missing; usually 1
     * @throws IOException if it can't listen at the path
     */
    public StrictDevice(Path socket, Offer offer, MemState mem, Provocation provocation, double patience)
            throws IOException {
        this.offer = offer;
        this.mem = mem;
        this.provocation = provocation;
        this.patience = patience;
        this.listening = ListeningSocket.open(socket, 1, SocketAccess.OWNER_ONLY);
    }

    public Path socket() {
        return listening.path();
    }

    /** Makes {@link #run} return soon. */
    public void stop() {
        stopped = true;
        wake.signal();
    }

    /** True if a front-end has connected. */
    public boolean isConnected() {
        return connected;
    }

    /** True if the device has no more goals for the driver. */
    public boolean isScriptDone() {
        return scriptDone;
    }

    /**
     * Waits for a front-end, and serves it until it has gone, the time is over, or {@link #stop} is called.
     *
     * @param limit counts from this call, and includes the wait for a front-end
     * @return the results; empty if no front-end connected
     */
    public Optional<RunReport> run(List<Observation> observations, Duration limit) throws IOException {
        Instant begin = Instant.now();
        long beginNanos = System.nanoTime();
        Fd connection = accept(beginNanos, limit);
        if (connection == null) {
            return Optional.empty();
        }
        connected = true;
        Transcript transcript = new Transcript();
        Account account = new Account(observations, offer.device(), transcript);
        try (Scene scene = new Scene(offer, mem, patience);
                Session session = new Session(connection, scene, account, transcript, provocation)) {
            session.run(
                    () -> {
                        scriptDone = session.isScriptDone();
                        return isOver(beginNanos, limit);
                    },
                    wake);
            return Optional.of(new RunReport(
                    "the front-end at " + listening.path() + " and its driver",
                    offer.device(),
                    begin,
                    System.nanoTime() - beginNanos,
                    offer.features(),
                    offer.protocolFeatures(),
                    "the requests of the driver",
                    Expectations.NONE,
                    account.results(),
                    session.notes()));
        }
    }

    private @Nullable Fd accept(long begin, Duration limit) throws IOException {
        while (!isOver(begin, limit)) {
            if (Poll.anyReadable(List.of(listening.fd(), wake.fd()), A_WHILE)) {
                wake.drain();
                Fd connection = UnixSockets.accept(listening.fd());
                if (connection != null) {
                    return connection;
                }
            }
        }
        return null;
    }

    private boolean isOver(long begin, Duration limit) {
        return stopped || System.nanoTime() - begin > limit.toNanos();
    }

    @Override
    public void close() {
        listening.close();
        wake.close();
    }
}
