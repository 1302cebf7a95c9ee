package org.exomem.vhostuser.backend;

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
 * <p>QEMU's generic device crashes if it reads a message when the device does not run (VHU-CFG-4). It reads the channel
 * only after it has carried out a start or a stop, so a message sent shortly before a stop is read after it. That can't be
 * prevented from here; nothing is sent from the first sign of a stop on, which makes it rare.
 */
final class BackEndChannel implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BackEndChannel.class);
    private static final Duration RETRY = Duration.ofMillis(50);

    private final EventLoop loop;
    private final BooleanSupplier mayTell;
    private final BooleanSupplier requestsWait;
    private @Nullable MessageSocket socket;
    private EventLoop.@Nullable Timer retry;
    private boolean changePending;

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

    /** Sends what is pending, if it may be sent now; tries again by itself where only a moment is missing. */
    void flush() {
        MessageSocket current = socket;
        if (!changePending || current == null || !mayTell.getAsBoolean()) {
            return;
        }
        if (requestsWait.getAsBoolean()) {
            flushLater();
            return;
        }
        try {
            current.send(BackEndRequest.CONFIG_CHANGE.encode(), List.of(), 0);
            changePending = false;
        } catch (LinuxException e) {
            if (e.errno() == Errno.EAGAIN) {
                flushLater();
            } else {
                LOG.warn("the front-end can't be told of config changes any more: {}", e.getMessage());
                close();
            }
        }
    }

    private void flushAgain() {
        retry = null;
        flush();
    }

    @Override
    public void close() {
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
