package org.exomem.conform.broken;

import java.util.ArrayList;
import java.util.List;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;

/** Descriptors that a broken back-end wrongly keeps, as long as its saboteur runs. */
final class Fds {
    private final List<Fd> kept = new ArrayList<>();
    private final List<EventFd> events = new ArrayList<>();

    /** Keeps a duplicate. */
    void keep(Fd fd) {
        try {
            kept.add(fd.duplicate());
        } catch (LinuxException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Keeps a duplicate of an eventfd, to signal it. */
    void keepEvent(Fd fd) {
        try {
            EventFd event = EventFd.adopt(fd.duplicate());
            if (event != null) {
                events.add(event);
            }
        } catch (LinuxException e) {
            throw new IllegalStateException(e);
        }
    }

    boolean isEmpty() {
        return kept.isEmpty();
    }

    /** A duplicate of the first one that was kept. */
    Fd first() throws LinuxException {
        return kept.getFirst().duplicate();
    }

    /** Signals all eventfds. */
    void signal() {
        events.forEach(EventFd::signal);
    }

    void close() {
        kept.forEach(Fd::close);
        kept.clear();
        events.forEach(EventFd::close);
        events.clear();
    }

    /**
     * Returns the same message. If it has no descriptor and says so by bit 8, it gets an eventfd that is never
     * signalled.
     */
    static Message withEventInstead(Message message) {
        return message.fds().isEmpty() ? deaf(message.withLong(0, message.longAt(0) & 0xff)) : message;
    }

    /** Returns the same message with an eventfd that is never signalled. */
    static Message withDeafEvent(Message message) {
        return message.fds().isEmpty() ? message : deaf(message);
    }

    private static Message deaf(Message message) {
        try (EventFd deaf = new EventFd()) {
            Fd fd = deaf.fd().duplicate();
            message.close();
            return message.withFds(List.of(fd));
        } catch (LinuxException e) {
            throw new IllegalStateException(e);
        }
    }
}
