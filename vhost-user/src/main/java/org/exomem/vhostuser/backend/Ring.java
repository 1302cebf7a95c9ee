package org.exomem.vhostuser.backend;

import java.time.Duration;
import java.util.function.Consumer;
import org.exomem.linux.EventFd;
import org.exomem.vhostuser.protocol.RingAddresses;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * One of a device's rings, as the front-end sets it up: what it was told, its notifiers, and whether it runs
 * (vhost-user, "Ring states"). Started and enabled are independent of each other (VHU-RING-4); enabling needs no queue
 * (VHU-RING-7).
 */
final class Ring {
    /** How often a ring without a kick descriptor is looked at (VHU-RING-9). */
    private static final Duration POLL = Duration.ofMillis(1);

    private final int index;
    private final EventLoop loop;
    private final Runnable process;

    private int size;
    private int base;
    /** VHU-RING-5: with bit 30 a ring begins disabled. */
    private boolean enabled;

    private boolean broken;
    private boolean memoryMissing;
    /** Started by the front-end, and there is no queue before the pages have come in which it lies (VHU-PST-7). */
    private boolean startWaits;

    private @Nullable RingAddresses addresses;
    private @Nullable EventFd kick;
    private @Nullable EventFd call;
    private @Nullable EventFd err;
    private @Nullable Virtqueue queue;
    private EventLoop.@Nullable Watch watch;
    private EventLoop.@Nullable Timer poll;

    Ring(int index, EventLoop loop, Consumer<Ring> process) {
        this.index = index;
        this.loop = loop;
        this.process = () -> process.accept(this);
    }

    int index() {
        return index;
    }

    int size() {
        return size;
    }

    void setSize(int newSize) {
        size = newSize;
    }

    int base() {
        return base;
    }

    void setBase(int newBase) {
        base = newBase;
    }

    @Nullable
    RingAddresses addresses() {
        return addresses;
    }

    void setAddresses(RingAddresses newAddresses) {
        addresses = newAddresses;
    }

    boolean isEnabled() {
        return enabled;
    }

    void setEnabled(boolean enable) {
        enabled = enable;
    }

    /** The queue while the ring is started, otherwise null. */
    @Nullable
    Virtqueue queue() {
        return queue;
    }

    /** True if the front-end has started the ring: then there is a queue, or there will be when its pages have come. */
    boolean isStarted() {
        return queue != null || startWaits;
    }

    /** True while the ring is started and its queue waits for pages. */
    boolean startWaits() {
        return startWaits;
    }

    void letStartWait() {
        startWaits = true;
    }

    /** True if buffers are processed: started, enabled, in guest memory, and its driver has kept to the rules. */
    boolean runs() {
        return queue != null && enabled && !broken && !memoryMissing;
    }

    /** True if the driver has broken a rule since the ring was last started. */
    boolean isBroken() {
        return broken;
    }

    /** True while the ring is started and the front-end has taken away the memory that it lies in. */
    boolean isMemoryMissing() {
        return queue != null && memoryMissing;
    }

    void setMemoryMissing(boolean missing) {
        memoryMissing = missing;
    }

    /** Starts: from now on kicks are watched for, or, without a descriptor for them, the ring is looked at again and again. */
    void start(Virtqueue newQueue) {
        queue = newQueue;
        startWaits = false;
        broken = false;
        memoryMissing = false;
        listen();
    }

    /** Takes the notifier for kicks, or null for none; what went before is closed (VHU-RING-8). */
    void setKick(@Nullable EventFd newKick) {
        stopListening();
        close(kick);
        kick = newKick;
        if (queue != null) {
            listen();
        }
    }

    private void listen() {
        EventFd notifier = kick;
        if (notifier != null) {
            watch = loop.watch(notifier, process);
        } else {
            poll = loop.schedule(POLL, this::pollOnce);
        }
    }

    private void pollOnce() {
        poll = loop.schedule(POLL, this::pollOnce);
        process.run();
    }

    /** Has the ring processed once more if it is started, after all other events that wait. */
    void processAgain() {
        if (queue == null) {
            return;
        }
        EventFd notifier = kick;
        if (notifier != null && !notifier.isPipe()) {
            // As if the driver had kicked: epoll tells of it in turn with the other descriptors.
            notifier.signal();
        } else if (notifier != null) {
            loop.execute(process);
        }
    }

    private void stopListening() {
        if (watch != null) {
            watch.close();
            watch = null;
        }
        if (poll != null) {
            poll.cancel();
            poll = null;
        }
    }

    void setCall(@Nullable EventFd newCall) {
        close(call);
        call = newCall;
        // A call may have been lost while there was no notifier, or was meant for the one before.
        if (queue != null) {
            signalCall();
        }
    }

    void setErr(@Nullable EventFd newErr) {
        close(err);
        err = newErr;
    }

    void signalCall() {
        EventFd notifier = call;
        if (notifier != null) {
            notifier.signal();
        }
    }

    /** Marks the ring as broken by its driver and tells the front-end, if it gave a notifier for that. */
    void breakDown() {
        broken = true;
        EventFd notifier = err;
        if (notifier != null) {
            notifier.signal();
        }
    }

    /** Stops; the position is kept for the next start. */
    void stop() {
        stopListening();
        startWaits = false;
        Virtqueue stopped = queue;
        if (stopped != null) {
            base = stopped.base();
            queue = null;
        }
    }

    /** Stops, and forgets and closes everything. Touches no guest memory. */
    void close() {
        stopListening();
        startWaits = false;
        queue = null;
        close(kick);
        close(call);
        close(err);
        kick = null;
        call = null;
        err = null;
    }

    private static void close(@Nullable EventFd notifier) {
        if (notifier != null) {
            notifier.close();
        }
    }
}
