package org.exomem.vhostuser.backend;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.linux.MessageSocket;
import org.exomem.vhostuser.protocol.BackEndRequest;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The channel on which the back-end tells the front-end that the config space has changed (SET_BACKEND_REQ_FD). A front-end
 * that does not read it blocks nothing (VHU-BACK-3): a message for which there is no room waits, and is sent once for any
 * number of changes.
 *
 * <p>QEMU's generic device crashes if it reads CONFIG_CHANGE while the device does not run (VHU-CFG-4), and it may read a
 * message long after it was sent, with a stop in between. So a message is sent in two parts (VHU-CFG-6):
 *
 * <pre>
 *             flush: the device runs              the front-end has read the byte
 *   IDLE ------------------------------> BEGUN ------------------------------------> IDLE
 *           sends the first byte                  sends the rest: CONFIG_CHANGE if the
 *                                                 device still runs, else WITHDRAWN
 * </pre>
 *
 * <p>A front-end that has read the first byte waits for the rest and does nothing else. So it can't stop the device before
 * it has the whole message. On the VM's event loop.
 */
final class BackEndChannel implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BackEndChannel.class);
    private static final Duration RETRY = Duration.ofMillis(50);
    private static final long SHORTEST_LOOK_NANOS = 100_000;
    private static final long LONGEST_LOOK_NANOS = 20_000_000;
    /** After this time without a read, a front-end counts as hanging or stopped, and is checked less often. */
    private static final long HANG_NANOS = 10_000_000_000L;

    private static final long LOOK_AT_HANGING_NANOS = 250_000_000;
    /**
     * The check interval is this part of the time since the first byte was sent, so that a front-end waits for the rest at
     * most that long.
     */
    private static final int LOOKS = 8;

    private final EventLoop loop;
    private final BooleanSupplier mayTell;
    private final BooleanSupplier requestsWait;
    private @Nullable MessageSocket socket;
    private EventLoop.@Nullable Timer retry;
    private EventLoop.@Nullable Timer look;
    private boolean changePending;
    /** True if the first byte of a message was sent. */
    private boolean begun;

    private long begunAt;

    /**
     * @param mayTell false while nothing may be sent; call {@link #flush} when that may have changed
     * @param requestsWait true while the front-end has sent something that was not read yet, which may be the begin of a
     *     stop
     */
    BackEndChannel(EventLoop loop, BooleanSupplier mayTell, BooleanSupplier requestsWait) {
        this.loop = loop;
        this.mayTell = mayTell;
        this.requestsWait = requestsWait;
    }

    /** Uses another socket from now on. */
    void use(MessageSocket newSocket) {
        close();
        socket = newSocket;
    }

    /** Notes a change of the config space, which {@link #flush} reports. */
    void configChanged() {
        changePending = true;
    }

    /**
     * Reports a noted change a little later, if that is allowed then: a stop of one ring is often followed by that of
     * another.
     */
    void flushLater() {
        if (changePending && retry == null) {
            retry = loop.schedule(RETRY, this::flushAgain);
        }
    }

    /** Begins to report a noted change, if that is allowed now. Tries again by itself if only a moment is missing. */
    void flush() {
        // A message under way covers this change too: the front-end reads the config space after it.
        if (!changePending || begun || socket == null || !mayTell.getAsBoolean()) {
            return;
        }
        if (requestsWait.getAsBoolean()) {
            flushLater();
            return;
        }
        if (send(BackEndRequest.CONFIG_CHANGE.encode().asSlice(0, 1))) {
            begun = true;
            begunAt = System.nanoTime();
            finishOnceRead();
        }
    }

    /**
     * The front-end's requests will not be read for a while, so that the condition for the rest of a message does not come,
     * and the front-end waits for it. It gets a rest without effect; the change is reported later.
     */
    void withdraw() {
        if (look != null) {
            look.cancel();
            look = null;
        }
        if (begun) {
            finish(false);
        }
        flushLater();
    }

    private void flushAgain() {
        retry = null;
        flush();
    }

    /**
     * VHU-CFG-6. Only requests that the front-end sent before it read the byte can stop the device, so those are read first.
     */
    private void finishOnceRead() {
        look = null;
        MessageSocket current = socket;
        if (current == null) {
            return;
        }
        if (isAllRead(current) && !requestsWait.getAsBoolean()) {
            finish(mayTell.getAsBoolean());
        } else {
            look = loop.schedule(untilNextLook(System.nanoTime() - begunAt), this::finishOnceRead);
        }
    }

    private static Duration untilNextLook(long waited) {
        return Duration.ofNanos(
                waited > HANG_NANOS
                        ? LOOK_AT_HANGING_NANOS
                        : Math.clamp(waited / LOOKS, SHORTEST_LOOK_NANOS, LONGEST_LOOK_NANOS));
    }

    /** A socket that does not support the check gets the rest at once. */
    private static boolean isAllRead(MessageSocket socket) {
        try {
            return socket.isAllRead();
        } catch (LinuxException e) {
            LOG.debug("can't determine whether the VMM has read the message: {}", e.getMessage());
            return true;
        }
    }

    private void finish(boolean tell) {
        BackEndRequest request = tell ? BackEndRequest.CONFIG_CHANGE : BackEndRequest.WITHDRAWN;
        begun = false;
        changePending &= !tell;
        send(request.encode().asSlice(1));
    }

    /** Returns false if there is no room, or no reader. */
    private boolean send(MemorySegment bytes) {
        MessageSocket current = socket;
        if (current == null) {
            return false;
        }
        try {
            current.send(bytes, List.of(), 0);
            return true;
        } catch (LinuxException e) {
            if (e.errno() == Errno.EAGAIN) {
                flushLater();
                return false;
            }
            // EPIPE: the front-end has closed the channel, usually because it ends.
            if (e.errno() != Errno.EPIPE) {
                LOG.warn("the VMM can no longer be notified of config changes: {}", e.getMessage());
            }
            close();
            return false;
        }
    }

    @Override
    public void close() {
        withdraw();
        if (retry != null) {
            retry.cancel();
            retry = null;
        }
        if (socket != null) {
            socket.close();
            socket = null;
        }
    }
}
