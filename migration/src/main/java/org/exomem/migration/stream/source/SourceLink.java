package org.exomem.migration.stream.source;

import java.io.EOFException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import org.exomem.migration.MigrationCancelledException;
import org.exomem.migration.MigrationFailure;
import org.exomem.migration.PeerFault;
import org.exomem.migration.StreamFault;
import org.exomem.migration.pager.Urgency;
import org.exomem.migration.stream.format.ChunkReader;
import org.exomem.migration.stream.format.ChunkType;
import org.exomem.migration.stream.format.ChunkWriter;
import org.exomem.migration.stream.format.OwedPieces;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.LivenessWatch;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;

/**
 * The source's connections, from one connect to the next: a main connection, on which a thread listens, and data
 * connections. The first failure ends all of them. Every user of a connection fails with this failure, not with its
 * consequences. Safe for use by several threads.
 */
final class SourceLink implements AutoCloseable {
    /** How many times within the limit for an answer it is checked that the destination accepts what it is sent. */
    private static final int LOOKS = 8;

    private static final long TICK_MILLIS = 100;

    /** How long to wait for the destination's reason if only a failed write is known. */
    private static final Duration EXPLANATION = Duration.ofSeconds(5);

    /**
     * A message of the destination.
     *
     * @param payload a copy
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Answer(ChunkType type, long first, long count, byte[] payload) {}

    private final Greeting main;
    private final ChunkWriter writer;
    private final ChunkReader reader;
    private final ScheduledExecutorService timer;
    private final LivenessWatch watch;
    private final Thread listener;
    private final ReentrantLock writing = new ReentrantLock();
    private final AtomicBoolean saidGoodbye = new AtomicBoolean();
    private final List<Greeting> data = new ArrayList<>();
    /** The writers of all connections. */
    private final List<ChunkWriter> writers = new CopyOnWriteArrayList<>();

    private final Duration limit;
    private final ScheduledFuture<?> progress;
    /** The pages that are owed when the guest begins at the destination. */
    private volatile @Nullable OwingSource owing;

    private @Nullable OwedPieces missing;
    /** Used by the listener: true from the first wanted page on. */
    private boolean urgent;

    private boolean allArrived;
    private @Nullable Answer answer;
    private @Nullable IOException failure;

    SourceLink(Greeting main, ScheduledExecutorService timer, StreamOptions options) {
        this.main = main;
        this.timer = timer;
        this.writer = new ChunkWriter(
                main.wire(), main.theirs().sequence(), new BandwidthLimit(BandwidthLimit.NONE), null, false);
        this.reader = new ChunkReader(main.wire(), main.mine().sequence(), ChunkType.Limits.CONTROL);
        this.limit = options.answerWithin();
        writers.add(writer);
        long pause = limit.toNanos() / LOOKS;
        this.progress = timer.scheduleWithFixedDelay(this::checkProgress, pause, pause, TimeUnit.NANOSECONDS);
        this.watch = new LivenessWatch(timer, options.patience(), this::speak, this::missing);
        this.listener = Thread.ofPlatform().name("migration-answers").daemon().start(this::listen);
    }

    Greeting main() {
        return main;
    }

    /**
     * Sends a message on the main connection.
     *
     * @throws IOException the failure of the link
     */
    void say(ChunkWriter.Saying saying) throws IOException {
        try {
            write(saying);
        } catch (IOException e) {
            throw because(e);
        }
    }

    /** As {@link #say}, but throws the failure of the write itself. */
    void write(ChunkWriter.Saying saying) throws IOException {
        writing.lock();
        try {
            saying.to(writer);
        } finally {
            writing.unlock();
        }
    }

    private void speak() throws IOException {
        if (!writing.tryLock()) {
            // Another message is being sent, which is a sign of life too.
            return;
        }
        try {
            writer.chunk(ChunkType.ALIVE, 0, 0);
            writer.flush();
        } finally {
            writing.unlock();
        }
    }

    /** STR-ERR-4: a live destination may accept nothing, for example if its memory is on a file system that hangs. */
    private void checkProgress() {
        for (ChunkWriter each : writers) {
            if (each.stuckNanos() > limit.toNanos()) {
                fail(new IOException(
                        "the destination has received none of the sent data for " + limit.toMillis() + " ms"));
            }
        }
    }

    private void missing() {
        fail(new IOException("the destination has sent nothing for too long"));
    }

    private void listen() {
        try {
            while (reader.next()) {
                watch.heard();
                switch (reader.type()) {
                    case ALIVE -> {}
                    case ACCEPTED, ROUND_DONE, LISTENING, READY, RUNNING -> heard(answer());
                    case OWED -> owed();
                    case WANT -> want();
                    case ARRIVED -> arrived();
                    case ERROR -> throw new PeerFault("the destination ended the migration: " + reader.text());
                    default -> throw new StreamFault("the destination sent " + reader.type());
                }
            }
            throw new EOFException("the destination ended the connection");
        } catch (IOException e) {
            fail(e);
        }
    }

    private void want() throws StreamFault {
        if (!urgent) {
            urgent = true;
            Urgency.first();
        }
        owing().want(this, reader.first());
    }

    /** The destination may request these pages from now on. */
    void serve(OwingSource pages) {
        owing = pages;
    }

    private OwingSource owing() throws StreamFault {
        OwingSource now = owing;
        if (now == null) {
            // STR-CHUNK-4
            throw new StreamFault("the destination sent " + reader.type() + ", but no pages are owed to it");
        }
        return now;
    }

    private synchronized void owed() throws StreamFault {
        OwedPieces pieces = missing;
        if (pieces == null) {
            pieces = new OwedPieces(owing().promised().pages());
            missing = pieces;
        }
        if (pieces.take(reader.first(), reader.count(), reader.payload())) {
            notifyAll();
        }
    }

    /** Waits for the pages that the destination does not have, after a lost connection (STR-PST-7). */
    synchronized PageBits awaitMissing() throws IOException {
        long end = System.nanoTime() + limit.toNanos();
        while (missing == null || !missing.isComplete()) {
            awaitUntil(end, ChunkType.OWED);
        }
        return missing.owed();
    }

    /** Waits for any message; a destination that sends none until then has failed. */
    private void awaitUntil(long end, ChunkType expected) throws IOException {
        long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
        if (failure == null && left <= 0) {
            fail(new IOException("the destination did not send " + expected + " within " + limit.toMillis() + " ms"));
        }
        if (failure != null) {
            throw failure();
        }
        waitAWhile(left);
    }

    private synchronized void arrived() throws StreamFault {
        owing();
        allArrived = true;
        notifyAll();
    }

    /**
     * Waits until all owed pages have arrived (STR-PST-6).
     *
     * @param meanwhile runs from time to time
     * @throws IOException the failure of the link
     */
    void awaitArrived(Runnable meanwhile) throws IOException {
        while (true) {
            synchronized (this) {
                if (allArrived) {
                    return;
                }
                if (failure != null) {
                    throw failure();
                }
                waitAWhile(TICK_MILLIS);
            }
            meanwhile.run();
        }
    }

    private Answer answer() {
        ByteBuffer payload = reader.payload();
        byte[] copy = new byte[payload.remaining()];
        payload.get(copy);
        return new Answer(reader.type(), reader.first(), reader.count(), copy);
    }

    private synchronized void heard(Answer heard) throws StreamFault {
        if (answer != null) {
            throw new StreamFault("the destination sent an unexpected " + heard.type);
        }
        answer = heard;
        notifyAll();
    }

    /**
     * Waits for the destination's next message.
     *
     * @throws IOException the failure of the link
     */
    synchronized Answer await(ChunkType expected) throws IOException {
        long end = System.nanoTime() + limit.toNanos();
        while (answer == null) {
            awaitUntil(end, expected);
        }
        Answer said = answer;
        answer = null;
        if (said.type != expected) {
            StreamFault fault = new StreamFault("the destination sent " + said.type + " instead of " + expected);
            fail(fault);
            throw fault;
        }
        return said;
    }

    private void waitAWhile(long millis) throws IOException {
        try {
            wait(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while waiting for the destination");
        }
    }

    private IOException failure() {
        return MigrationFailure.of(failure == null ? new IOException("the connection was closed") : failure)
                .again();
    }

    /** Adds a data connection, which ends with this link. */
    synchronized void add(Greeting connection) throws IOException {
        if (failure != null) {
            connection.close();
            throw failure();
        }
        data.add(connection);
    }

    /** Adds the writer of a data connection. */
    void add(ChunkWriter pages) {
        writers.add(pages);
    }

    /**
     * The reason of a failure on one of the connections: usually the destination has closed it, for a reason that it has
     * sent on the main connection, or is sending.
     */
    synchronized IOException because(IOException e) throws IOException {
        long end = System.nanoTime() + EXPLANATION.toNanos();
        while (failure == null) {
            long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
            if (left <= 0) {
                fail(e);
                break;
            }
            waitAWhile(left);
        }
        return failure();
    }

    /** Ends all connections; their users fail with {@code e}. */
    synchronized void fail(IOException e) {
        end(e);
        main.close();
        data.forEach(Greeting::close);
    }

    private synchronized void end(IOException e) {
        if (failure == null) {
            failure = e;
            notifyAll();
        }
    }

    /**
     * Lets every present and later wait fail because the migration is cancelled, and notifies the destination. Does not
     * wait.
     *
     * <p>The destination closes the connections: if the data connections ended first, it would regard that as a lost
     * connection.
     */
    void cancel() {
        MigrationCancelledException cancelled = new MigrationCancelledException();
        end(cancelled);
        try {
            timer.execute(() -> sayGoodbye(String.valueOf(cancelled.getMessage())));
            // A destination that does not read can't be notified.
            timer.schedule(() -> fail(cancelled), EXPLANATION.toMillis(), TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            // The sender was closed, and this link with it.
            fail(cancelled);
        }
    }

    /**
     * Tells the destination that nothing more will be sent, and why, unless it was told. Waits some seconds at most for it
     * to close the connection.
     */
    void sayGoodbye(String reason) {
        try {
            if (!saidGoodbye.getAndSet(true)) {
                goodbye(reason);
            }
            listener.join(EXPLANATION.toMillis());
        } catch (IOException e) {
            fail(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void goodbye(String reason) throws IOException, InterruptedException {
        if (!writing.tryLock(EXPLANATION.toMillis(), TimeUnit.MILLISECONDS)) {
            throw new IOException("the destination does not read the sent data");
        }
        try {
            writer.error(reason);
            main.wire().finishWriting();
        } finally {
            writing.unlock();
        }
    }

    /** Ends all connections, and the listener's thread. */
    @Override
    public void close() {
        watch.close();
        progress.cancel(false);
        fail(new IOException("the connection was closed"));
        try {
            listener.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
