package org.exomem.backend.migrate;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;
import java.util.function.Supplier;
import org.exomem.migration.CancelToken;
import org.exomem.migration.ConnectionLostException;
import org.exomem.migration.GuestPages;
import org.exomem.migration.HandoverUncertainException;
import org.exomem.migration.MigrationFailure;
import org.exomem.migration.PeerFault;
import org.exomem.migration.precopy.Destination;
import org.exomem.migration.stream.source.MigrationSender;
import org.exomem.migration.stream.source.MigrationSender.ResumePoint;
import org.exomem.pages.PageBits;

/**
 * The connection over which a VM leaves. Only this class decides whether a lost connection is made again, and for how long,
 * for memory, device states and the hand-over alike. Used by the migration's thread only.
 */
final class OutgoingConnection {
    /** The time limit of one attempt to connect while pages are owed. Between attempts the cancel token is checked. */
    private static final Duration LONG = Duration.ofSeconds(10);

    private final MigrationSender sender;
    private final GuestPages memory;
    private final Departure watcher;
    private final Supplier<Duration> patience;
    private boolean promised;

    /**
     * @param memory of the VM
     * @param patience returns how long to try to connect again, given the present state of the migration
     */
    OutgoingConnection(MigrationSender sender, GuestPages memory, Departure watcher, Supplier<Duration> patience) {
        this.sender = sender;
        this.memory = memory;
        this.watcher = watcher;
        this.patience = patience;
    }

    /** The engine's destination for memory. */
    Destination destination() {
        return new Destination(
                sender.channels(), sender::endRound, lost -> reconnect(lost).rounds(), this::promise);
    }

    private void promise(PageBits pages) throws IOException {
        boolean listens = false;
        while (!listens) {
            try {
                sender.promise(pages, memory);
                promised = true;
                listens = true;
            } catch (ConnectionLostException e) {
                // A destination that listens already has refused the channel (STR-PST-7).
                reconnect(e);
            }
        }
    }

    /**
     * True if the destination was told that pages come later. Then {@link #owe} must follow with all owed pages, even if
     * there are none.
     */
    boolean hasPromised() {
        return promised;
    }

    /**
     * Post-copy: tells the destination which pages come only after its guest has begun (STR-PST-2). A lost connection from
     * here to the end of {@link #finish} ends the migration (STR-PST-7).
     *
     * @param owed all owed pages
     * @throws IOException if the connection fails
     */
    void owe(PageBits owed) throws IOException {
        sender.owe(owed);
    }

    /**
     * Sends the states of the devices. Returns when the destination is ready to start the guest.
     *
     * @param vmm a file with the state of the VMM's own devices
     * @param devices the format of {@link MovedDevices#toBytes}
     * @throws IOException if the connection is lost and can't be made again, or the destination refuses the states
     */
    void finish(Path vmm, byte[] devices) throws IOException {
        boolean ready = false;
        while (!ready) {
            try {
                try (OutputStream out = sender.deviceState(StateFolder.VMM)) {
                    Files.copy(vmm, out);
                }
                try (OutputStream out = sender.deviceState(MovedDevices.STATE)) {
                    out.write(devices);
                }
                sender.finish();
                ready = true;
            } catch (ConnectionLostException e) {
                ready = reconnect(e).isReady();
                if (promised && !ready) {
                    // STR-PST-7
                    throw e;
                }
            }
        }
    }

    /**
     * Hands the guest over. Returns when it runs at the destination. Throws what {@link MigrationSender#handOver} throws.
     *
     * @param abandon present if pages are owed to the guest: then a lost connection is made again without a time limit,
     *     until this is cancelled
     */
    void handOver(Optional<CancelToken> abandon) throws IOException {
        boolean runs = false;
        while (!runs) {
            try {
                sender.handOver();
                runs = true;
            } catch (HandoverUncertainException e) {
                if (abandon.isPresent()) {
                    watcher.owing(abandon.get());
                    reconnectHoweverLong(e, abandon.get());
                } else if (!reconnect(e).isReady()) {
                    throw e;
                }
            }
        }
    }

    /**
     * Returns when all owed pages have arrived. A lost connection is made again without a time limit, because the guest at
     * the destination waits for pages.
     *
     * @param abandon ends the wait when it is cancelled
     * @param meanwhile receives from time to time how many pages have not been sent
     * @throws PeerFault if the destination has given the guest up
     */
    void awaitArrived(CancelToken abandon, LongConsumer meanwhile) throws IOException {
        boolean arrived = false;
        while (!arrived) {
            try {
                sender.awaitArrived(() -> {
                    meanwhile.accept(sender.owed());
                    if (abandon.isCancelled()) {
                        sender.abort("cancelled at the source");
                    }
                });
                arrived = true;
            } catch (PeerFault e) {
                throw e;
            } catch (IOException e) {
                reconnectHoweverLong(e, abandon);
            }
        }
    }

    private void reconnectHoweverLong(IOException lost, CancelToken abandon) throws IOException {
        CountDownLatch abandoned = new CountDownLatch(1);
        abandon.onCancel(abandoned::countDown);
        abandon.check();
        String told = reason(lost);
        watcher.lost(told, LONG);
        while (true) {
            try {
                sender.reconnect(LONG);
                watcher.back();
                return;
            } catch (IOException e) {
                abandon.check();
                String why = reason(e);
                if (!why.equals(told)) {
                    told = why;
                    watcher.lost(why, LONG);
                }
            }
            try {
                if (abandoned.await(1, TimeUnit.SECONDS)) {
                    abandon.check();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new InterruptedIOException("interrupted while pages are owed");
            }
        }
    }

    /**
     * The cause of an uncertain hand-over: while the connection may be made again, an operator need not check which end has
     * the guest.
     */
    private static String reason(IOException lost) {
        Throwable why = lost instanceof HandoverUncertainException && lost.getCause() != null ? lost.getCause() : lost;
        return String.valueOf(why.getMessage());
    }

    private ResumePoint reconnect(IOException lost) throws IOException {
        if (!sender.mayReconnect()) {
            throw lost;
        }
        Duration within = patience.get();
        watcher.lost(reason(lost), within);
        try {
            ResumePoint point = sender.reconnect(within);
            watcher.back();
            return point;
        } catch (IOException e) {
            if (MigrationFailure.isFinal(e)) {
                throw e;
            }
            throw new IOException(
                    "the connection was lost (" + lost.getMessage() + "), and could not be restored within "
                            + within.toMillis() + " ms: " + e.getMessage(),
                    e);
        }
    }
}
