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
 * that doesn't read it holds up nothing (VHU-BACK-3): news that finds no room waits, and is sent once however often it came.
 *
 * <p>QEMU's generic device crashes if it reads CONFIG_CHANGE when the device does not run (VHU-CFG-4), and it may read a
 * message long after it was sent: a stop can come in between. So a message is sent in two parts (VHU-CFG-6):
 *
 * <pre>
 *             flush: the device runs              the front-end has read the byte
 *   IDLE ------------------------------> BEGUN ------------------------------------> IDLE
 *           sends the first byte                  sends the rest: CONFIG_CHANGE if the
 *                                                 device still runs, else WITHDRAWN
 * </pre>
 *
 * A front-end that has read the first byte waits for the rest and does nothing else, so the device can't be stopped before
 * it has the whole message.
 */
final class BackEndChannel implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BackEndChannel.class);
    private static final Duration RETRY = Duration.ofMillis(50);
    private static final long SHORTEST_LOOK_NANOS = 100_000;
    private static final long LONGEST_LOOK_NANOS = 20_000_000;
    /** A front-end that has not read for so long hangs, or was stopped, and is looked at less often. */
    private static final long HANG_NANOS = 10_000_000_000L;

    private static final long LOOK_AT_HANGING_NANOS = 250_000_000;
    /** A front-end waits for the rest no longer than this part of the time that it took to read the first byte. */
    private static final int LOOKS = 8;

    private final EventLoop loop;
    private final BooleanSupplier mayTell;
    private final BooleanSupplier requestsWait;
    private @Nullable MessageSocket socket;
    private EventLoop.@Nullable Timer retry;
    private EventLoop.@Nullable Timer look;
    private boolean changePending;
    /** Whether the first byte of a message was sent, and when ({@link System#nanoTime}). */
    private boolean begun;

    private long begunAt;

    /**
     * @param mayTell false while nothing may be sent; {@link #flush} is called when that may have changed
     * @param requestsWait true while the front-end has sent something that was not read yet: it may be the begin of a stop
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

    /** Notes that the config space has changed; sent by {@link #flush}. */
    void configChanged() {
        changePending = true;
    }

    /** Sends what is pending in a while, if it may be sent then: a stop of one ring is often followed by that of another. */
    void flushLater() {
        if (changePending && retry == null) {
            retry = loop.schedule(RETRY, this::flushAgain);
        }
    }

    /** Begins to send what is pending, if that may be now; tries again by itself where only a moment is missing. */
    void flush() {
        // A message under way tells of this change too: the front-end reads the config space after it.
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
     * The front-end's requests are not read for a while: what the rest of a message under way would have to wait for does not
     * come, and the front-end waits for the rest. It gets one that tells nothing; the change is told later.
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

    /** VHU-CFG-6. Only what the front-end sent before it read the byte can tell that the device stops, so that is read first. */
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

    /** A socket that can't tell gets the rest at once. */
    private static boolean isAllRead(MessageSocket socket) {
        try {
            return socket.isAllRead();
        } catch (LinuxException e) {
            LOG.debug("it can't be seen whether the front-end has read: {}", e.getMessage());
            return true;
        }
    }

    private void finish(boolean tell) {
        BackEndRequest request = tell ? BackEndRequest.CONFIG_CHANGE : BackEndRequest.WITHDRAWN;
        begun = false;
        changePending &= !tell;
        send(request.encode().asSlice(1));
    }

    /** Returns false if there is no room for it, or nobody to read it. */
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
            // EPIPE: it closed the channel, mostly as it ends.
            if (e.errno() != Errno.EPIPE) {
                LOG.warn("the front-end can't be told of config changes any more: {}", e.getMessage());
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
