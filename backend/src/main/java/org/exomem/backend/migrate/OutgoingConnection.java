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
 * The connection by which a VM leaves. Whatever travels over it, memory, states or the hand-over, this is the one place that
 * decides to make it again when it is lost, and for how long. Belongs to the migration's thread.
 */
final class OutgoingConnection {
    /** Between two looks whether it was given up. */
    private static final Duration LONG = Duration.ofSeconds(10);

    private final MigrationSender sender;
    private final GuestPages memory;
    private final Departure watcher;
    private final Supplier<Duration> patience;
    private boolean promised;

    /**
     * @param memory of the VM
     * @param patience how long to try to make the connection again, as things are then
     */
    OutgoingConnection(MigrationSender sender, GuestPages memory, Departure watcher, Supplier<Duration> patience) {
        this.sender = sender;
        this.memory = memory;
        this.watcher = watcher;
        this.patience = patience;
    }

    /** For memory. */
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
                // Refused by a destination that listens already (STR-PST-7).
                reconnect(e);
            }
        }
    }

    /** True if the destination was told that pages come later; {@link #owe} says which, in all, also if none do. */
    boolean hasPromised() {
        return promised;
    }

    /**
     * With post-copy: says which pages come only when the guest has begun over there (STR-PST-2). A cut from here to the end of {@link
     * #finish} ends the migration (STR-PST-7).
     *
     * @param owed all of them
     */
    void owe(PageBits owed) throws IOException {
        sender.owe(owed);
    }

    /**
     * Sends what is left after memory; returns when the destination could start the guest at once.
     *
     * @param vmm a file with the state of the VMM's own devices
     * @param devices what is to be known of the devices that were taken out
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
     * Lets go; returns when the guest runs at the destination. Throws as {@link MigrationSender#handOver} does.
     *
     * @param abandon if pages are owed to it: the connection is made again for as long as it takes then, until this is cancelled
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
     * Returns when all owed pages have arrived. The connection is made again for as long as it takes: the guest over there waits for what
     * it needs.
     *
     * @param abandon ends that
     * @param meanwhile is told every now and then how many pages have not been sent
     * @throws PeerFault if the destination has given the guest up
     */
    void awaitArrived(CancelToken abandon, LongConsumer meanwhile) throws IOException {
        boolean arrived = false;
        while (!arrived) {
            try {
                sender.awaitArrived(() -> {
                    meanwhile.accept(sender.owed());
                    if (abandon.isCancelled()) {
                        sender.abort("given up at the source");
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

    /** While it may still be made again, an operator need not look which end has the guest. */
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
                    "the connection was lost (" + lost.getMessage() + "), and could not be made again within "
                            + within.toMillis() + " ms: " + e.getMessage(),
                    e);
        }
    }
}
