package org.exomem.vhostuser.backend;

import java.time.Duration;
import java.util.function.Consumer;
import org.exomem.linux.EventFd;
import org.exomem.vhostuser.protocol.RingAddresses;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * One of a device's rings, as the front-end configures it: its settings, its notifiers, and whether it runs (vhost-user,
 * "Ring states"). Started and enabled are independent of each other (VHU-RING-4); enabling needs no queue (VHU-RING-7).
 */
final class Ring {
    /** The interval of polls of a ring without a kick descriptor (VHU-RING-9). */
    private static final Duration POLL = Duration.ofMillis(1);

    private final int index;
    private final EventLoop loop;
    private final Runnable process;

    private int size;
    private int base;
    /** VHU-RING-5: with bit 30 a ring is disabled at first. */
    private boolean enabled;

    private boolean broken;
    private boolean memoryMissing;
    /** Started by the front-end, but without a queue until the ring's pages have arrived (VHU-PST-7). */
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

    /** True if the front-end has started the ring: there is a queue, or there will be when its pages have arrived. */
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

    /** True if buffers are processed: started, enabled, in guest memory, and its driver has broken no rule. */
    boolean runs() {
        return queue != null && enabled && !broken && !memoryMissing;
    }

    /** True if the driver has broken a rule since the ring was last started. */
    boolean isBroken() {
        return broken;
    }

    /** True while the ring is started and the front-end has removed the memory that it is in. */
    boolean isMemoryMissing() {
        return queue != null && memoryMissing;
    }

    void setMemoryMissing(boolean missing) {
        memoryMissing = missing;
    }

    /** Starts the ring: watches for kicks from now on or, without a kick descriptor, polls the ring. */
    void start(Virtqueue newQueue) {
        queue = newQueue;
        startWaits = false;
        broken = false;
        memoryMissing = false;
        listen();
    }

    /** Sets the notifier for kicks, or null for none; closes the earlier one (VHU-RING-8). */
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

    /** Processes the ring once more if it is started, after all other waiting events. */
    void processAgain() {
        if (queue == null) {
            return;
        }
        EventFd notifier = kick;
        if (notifier != null && !notifier.isPipe()) {
            // As if the driver had kicked: epoll reports it in turn with the other descriptors.
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
        // A call may have been lost while there was no notifier, or was meant for the earlier one.
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

    /** Marks the ring as broken by its driver, and signals the front-end's error notifier if there is one. */
    void breakDown() {
        broken = true;
        EventFd notifier = err;
        if (notifier != null) {
            notifier.signal();
        }
    }

    /** Stops the ring; its position is kept for the next start. */
    void stop() {
        stopListening();
        startWaits = false;
        Virtqueue stopped = queue;
        if (stopped != null) {
            base = stopped.base();
            queue = null;
        }
    }

    /** Stops the ring, and drops and closes everything. Does not touch guest memory. */
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
