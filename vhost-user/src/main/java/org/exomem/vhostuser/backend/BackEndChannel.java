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
 * that doesn't read it holds up nothing: news that finds no room waits, and is sent once however often it came.
 */
final class BackEndChannel implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BackEndChannel.class);
    private static final Duration RETRY = Duration.ofMillis(50);

    private final EventLoop loop;
    private final BooleanSupplier mayTell;
    private @Nullable MessageSocket socket;
    private EventLoop.@Nullable Timer retry;
    private boolean changePending;

    /** @param mayTell false while nothing may be sent: QEMU dies of a message that comes before the device runs */
    BackEndChannel(EventLoop loop, BooleanSupplier mayTell) {
        this.loop = loop;
        this.mayTell = mayTell;
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

    /** Sends what is pending, if it may be sent now. */
    void flush() {
        MessageSocket current = socket;
        if (!changePending || current == null || !mayTell.getAsBoolean()) {
            return;
        }
        try {
            current.send(BackEndRequest.CONFIG_CHANGE.encode(), List.of(), 0);
            changePending = false;
        } catch (LinuxException e) {
            if (e.errno() == Errno.EAGAIN) {
                if (retry == null) {
                    retry = loop.schedule(RETRY, this::flushAgain);
                }
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
