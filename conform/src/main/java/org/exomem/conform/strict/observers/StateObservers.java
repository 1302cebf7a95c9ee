package org.exomem.conform.strict.observers;

import java.util.List;
import java.util.Map;
import org.exomem.conform.strict.front.FrontEndMessage;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.observe.Observer;
import org.exomem.conform.strict.observe.Tally;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;

/** Migration: the log of written pages, the state of the device, post-copy. */
final class StateObservers {
    private static final long PAGE = 4096;
    private static final long PAGES_IN_A_BYTE = 8;

    static final List<Observation> ALL = List.of(
            Observation.looking("vhost.payload.14", "The log is within its file", (event, scene, tally) -> {
                if (isLog(event, scene) && event instanceof Event.Requested(var message)) {
                    long end = message.longAt(0) + message.longAt(8);
                    tally.judge(
                            message.payload().length == 16 && fileSize(message) >= end,
                            "the log ends at " + end + " of a file of " + fileSize(message) + " bytes");
                }
            }),
            Observation.ofRequests(
                    "vhost.log.7",
                    "With LOG_SHMFD, SET_LOG_BASE passes the log's file",
                    message -> message.is(Request.SET_LOG_BASE),
                    (message, scene) -> !scene.hasProtocol(Protocol.LOG_SHMFD)
                            || message.fds().size() == 1),
            Observation.looking(
                    "vhost.log.8", "The log is large enough for all guest memory", (event, scene, tally) -> {
                        if (isLog(event, scene) && event instanceof Event.Requested(var message)) {
                            long covered = message.longAt(0) * PAGES_IN_A_BYTE * PAGE;
                            tally.judge(
                                    covered >= scene.memory().end(),
                                    "it has bits up to guest address 0x" + Long.toHexString(covered)
                                            + "; guest memory ends at 0x"
                                            + Long.toHexString(scene.memory().end()));
                        }
                    }),
            Observation.of("vhost.log.11", "The bits for a used ring are within the log", UsedInLog::new),
            Observation.ofRequest(
                            "vhost.state.4",
                            "State is transferred only while the device is suspended",
                            Request.SET_DEVICE_STATE_FD,
                            (message, scene) -> scene.rings().stream()
                                    .noneMatch(ring -> ring.queue().isPresent()))
                    .and("vhost.state.1"),
            Observation.looking(
                            "vhost.state.6", "The channel of a state that is loaded ends", (event, scene, tally) -> {
                                if (event instanceof Event.Transferred(boolean save, boolean whole) && !save) {
                                    tally.judge(whole, "the channel was not closed within 10 s");
                                }
                            })
                    .and("vhost.state.18"),
            Observation.looking(
                            "vhost.state.8",
                            "The channel of a state that is saved accepts all of it",
                            (event, scene, tally) -> {
                                if (event instanceof Event.Transferred(boolean save, boolean whole) && save) {
                                    tally.judge(whole, "the channel was closed, or not read for 10 s");
                                }
                            })
                    .and("vhost.state.17"),
            Observation.of("vhost.state.14", "CHECK_DEVICE_STATE follows each transfer", Checked::new),
            Observation.looking(
                    "vhost.postcopy.12",
                    "POSTCOPY_LISTEN is sent only after POSTCOPY_ADVISE, with PAGEFAULT",
                    (event, scene, tally) -> {
                        if (event instanceof Event.Requested(var message) && message.is(Request.POSTCOPY_LISTEN)) {
                            tally.judge(
                                    scene.count(Request.POSTCOPY_ADVISE) > 0 && scene.hasProtocol(Protocol.PAGEFAULT),
                                    "POSTCOPY_ADVISE was sent " + scene.count(Request.POSTCOPY_ADVISE)
                                            + " times, and PAGEFAULT was "
                                            + (scene.hasProtocol(Protocol.PAGEFAULT) ? "" : "not ")
                                            + "negotiated");
                        }
                    }),
            Observation.ofRequest(
                    "vhost.postcopy.13",
                    "POSTCOPY_END is sent only after POSTCOPY_LISTEN",
                    Request.POSTCOPY_END,
                    (message, scene) -> scene.count(Request.POSTCOPY_LISTEN) > 0));

    static final Map<String, String> UNWATCHED = Map.ofEntries(
            Map.entry("vhost.log.2", "This is a permission, so nothing can break it."),
            Map.entry("vhost.log.14", "This is a permission, so nothing can break it."),
            Map.entry("vhost.log.15", "A back-end is not told when a migration is finished."),
            Map.entry("vhost.postcopy.2", "The device does not offer PAGEFAULT."),
            Map.entry("vhost.postcopy.3", "The device does not offer PAGEFAULT."),
            Map.entry("vhost.postcopy.7", "The device does not offer PAGEFAULT."),
            Map.entry("vhost.postcopy.9", "The device does not offer PAGEFAULT."),
            Map.entry(
                    "vhost.state.3",
                    "A run is one session, at the source or at the destination; what the other side does is not seen."),
            Map.entry(
                    "vhost.state.12",
                    "A run is one session, at the source or at the destination; what the other side did is not seen."),
            Map.entry("vhost.state.13", "This is a permission, so nothing can break it."),
            Map.entry("vhost.state.21", "The device uses the front-end's channel, and provides none of its own."),
            Map.entry("vhost.state.25", "The device uses the front-end's channel, and provides none of its own."));

    private StateObservers() {}

    private static boolean isLog(Event event, Scene scene) {
        return event instanceof Event.Requested(FrontEndMessage message)
                && message.is(Request.SET_LOG_BASE)
                && scene.hasProtocol(Protocol.LOG_SHMFD)
                && message.fds().size() == 1;
    }

    private static long fileSize(FrontEndMessage message) {
        try (SharedFile file = new SharedFile(message.fds().getFirst().duplicate())) {
            return file.size();
        } catch (LinuxException e) {
            return 0;
        }
    }

    private static final class UsedInLog implements Observer {
        private long covered = -1;

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            if (isLog(event, scene) && event instanceof Event.Requested(FrontEndMessage message)) {
                covered = message.longAt(0) * PAGES_IN_A_BYTE * PAGE;
            }
            if (event instanceof Event.Requested(FrontEndMessage message)
                    && message.is(Request.SET_VRING_ADDR)
                    && (message.intAt(4) & RingAddresses.LOG) != 0
                    && covered >= 0) {
                int size = scene.ring(message.intAt(0)).size().orElse(1);
                long end = message.longAt(32) + 4 + 8L * size;
                tally.judge(
                        Long.compareUnsigned(end, covered) <= 0,
                        "ring " + message.intAt(0) + " is logged up to guest address 0x" + Long.toHexString(end)
                                + "; the log has bits up to 0x" + Long.toHexString(covered));
            }
        }
    }

    private static final class Checked implements Observer {
        private boolean due;

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            switch (event) {
                case Event.Transferred(boolean save, boolean whole) -> due = true;
                case Event.Requested(FrontEndMessage message)
                when due -> {
                    due = false;
                    tally.judge(
                            message.is(Request.CHECK_DEVICE_STATE),
                            message.name() + " was sent after a transfer, before CHECK_DEVICE_STATE");
                }
                case Event.Ended(boolean byFrontEnd)
                when due -> tally.broken("the session ended after a transfer, without CHECK_DEVICE_STATE");
                default -> {}
            }
        }
    }
}
