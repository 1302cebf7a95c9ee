package org.exomem.migration.stream.destination;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import org.exomem.migration.DestinationFault;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.Preamble;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The one migration that a destination accepts (STR-ERR-5). Safe for use by several threads. */
final class SingleMigration {
    private static final Logger LOG = LoggerFactory.getLogger(SingleMigration.class);

    private final Destination destination;
    private final StreamOptions options;
    private final ScheduledExecutorService timer;
    private final CompletableFuture<ReceivedMigration> outcome = new CompletableFuture<>();
    private @Nullable ReceivingSession session;
    private boolean reserved;

    SingleMigration(Destination destination, StreamOptions options, ScheduledExecutorService timer) {
        this.destination = destination;
        this.options = options;
        this.timer = timer;
    }

    /** Goes on with a migration that an earlier process has begun. */
    void takeUp(BegunMigration begun) throws StreamFault {
        reserve();
        begin(new ReceivingSession(begun, destination, options, timer));
    }

    /** The result of the migration. */
    CompletableFuture<ReceivedMigration> outcome() {
        return outcome;
    }

    /** The migration, when a source has begun it; null before. */
    synchronized @Nullable ReceivingSession session() {
        return session;
    }

    /**
     * Begins the migration.
     *
     * @throws StreamFault if another source has begun one
     * @throws DestinationFault if the destination does not accept this memory; another source may connect then
     */
    ReceivingSession begin(Preamble theirs, ReceivingLink link, MemoryDescription memory) throws IOException {
        reserve();
        String source = link.main.peer();
        try {
            PageTarget target = destination.open(memory, source);
            if (link.features.contains(StreamFeature.POSTCOPY)) {
                try {
                    destination.mayBeOwed();
                } catch (IOException e) {
                    target.close();
                    throw e;
                }
            }
            ReceivingSession opened =
                    new ReceivingSession(theirs.migration(), source, memory, destination, target, options, timer, link);
            begin(opened);
            return opened;
        } catch (IOException e) {
            release();
            throw new DestinationFault("the destination does not accept this memory", e);
        } catch (RuntimeException e) {
            release();
            throw ownFault(e);
        }
    }

    private synchronized void reserve() throws StreamFault {
        if (reserved) {
            ReceivingSession other = session;
            throw new StreamFault(
                    other != null && other.isOver()
                            ? "this destination has received its migration, and accepts no other"
                            : "this destination is receiving another migration"
                                    + (other == null ? "" : ", from " + other.source()));
        }
        reserved = true;
    }

    private synchronized void release() {
        reserved = false;
    }

    private synchronized void begin(ReceivingSession opened) {
        session = opened;
        opened.outcome().whenComplete((received, failure) -> {
            if (failure == null) {
                outcome.complete(received);
            } else {
                outcome.completeExceptionally(failure);
            }
        });
    }

    /**
     * Returns the migration to which a connection belongs.
     *
     * @throws StreamFault if it is another one
     */
    synchronized ReceivingSession known(Preamble theirs) throws StreamFault {
        ReceivingSession current = session;
        if (current == null || !current.migration().equals(theirs.migration())) {
            throw new StreamFault("this destination does not know that migration");
        }
        return current;
    }

    static DestinationFault ownFault(Throwable e) {
        LOG.error("a migration failed by an internal error of exomem", e);
        return new DestinationFault("internal error of exomem at the destination", e);
    }
}
