package org.exomem.migration.stream.destination;

import java.io.IOException;
import java.time.Duration;
import org.exomem.migration.ConnectionLostException;
import org.exomem.migration.DestinationFault;
import org.exomem.migration.HandoverUncertainException;
import org.exomem.migration.MigrationFailure;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.format.Phase;
import org.exomem.migration.stream.format.StreamFeature;
import org.jspecify.annotations.Nullable;

/**
 * The state of one migration at its destination. States change only by {@link #next}, which has no side effects. The {@link
 * ReceivingSession} does the work of entering a state.
 *
 * <pre>
 *            END            prepared          GO             started          HEARD
 * Receiving ──────► Complete ──────► Ready ───────► Starting ───────► Running ──────► Confirmed
 *   │    ▲             │             │  ▲            │     │
 *   │    └─RESUME─┐    │    ┌─RESUME─┼──┘            │     └─ it may run ──► Uncertain
 *   │             │    │    │        │               │
 *   └───cut────► Cut (of one of the three) ◄──cut────┘               └─ it can't start ──► Failing
 *
 * Receiving, Complete, Ready ── a final failure, or a stop ─────────────────► Failing
 * Cut ───────────────────────── a stop, or no RESUME in time ───────────────► Failing
 * Failing ───────────────────── the last thread of a connection has left ───► Failed
 * </pre>
 *
 * With post-copy there is Listening between Receiving and Complete, from when the source has promised pages, and Owing
 * between Starting and Running, as long as pages are owed to the guest that runs here.
 *
 * <p>From Starting on, only a start that has certainly failed takes the guest away again (STR-END-3). A lost connection
 * changes nothing there, and a source that connects again gets another connection in the same state (STR-RES-5).
 */
sealed interface Reception {
    /** The source has the guest, and the migration can be given up. */
    sealed interface Arriving extends Reception {
        /** The present connections. */
        ReceivingLink link();

        /** The progress, for a source that connects again. */
        @Override
        Phase phase();

        /** The same state on new connections of the source. */
        Arriving on(ReceivingLink next);
    }

    /** Pages and device states are being received. */
    record Receiving(ReceivingLink link) implements Arriving {
        @Override
        public Phase phase() {
            return Phase.RECEIVING;
        }

        @Override
        public Arriving on(ReceivingLink next) {
            return new Receiving(next);
        }
    }

    /**
     * No more rounds come, and memory is closed. Pages were promised, and a thread that touches one here waits. The guest
     * may still run at the source.
     */
    record Listening(ReceivingLink link) implements Arriving {
        @Override
        public Phase phase() {
            return Phase.RECEIVING;
        }

        @Override
        public Arriving on(ReceivingLink next) {
            return new Listening(next);
        }
    }

    /**
     * Everything was received and is correct. Memory is closed, and the guest is being made ready.
     *
     * @param owed whether pages come after the guest has begun here
     */
    record Complete(ReceivingLink link, boolean owed) implements Arriving {
        @Override
        public Phase phase() {
            return Phase.RECEIVING;
        }

        @Override
        public Arriving on(ReceivingLink next) {
            return new Complete(next, owed);
        }
    }

    /** The guest is ready to start. */
    record Ready(ReceivingLink link) implements Arriving {
        @Override
        public Phase phase() {
            return Phase.READY;
        }

        @Override
        public Arriving on(ReceivingLink next) {
            return new Ready(next);
        }
    }

    /**
     * The connections were lost, and the source may connect again (STR-RES-1).
     *
     * @param at the state in which that happened, with the lost connections
     */
    record Cut(Arriving at, IOException why) implements Reception {}

    /**
     * The source has handed over the guest, and it is being started.
     *
     * @param cut why the connections were lost, if they were
     */
    record Starting(ReceivingLink link, @Nullable IOException cut) implements Reception {}

    /**
     * The guest runs here, and pages are owed to it.
     *
     * @param link the connections, or null if an earlier process had them
     * @param cut why they were lost, if they were: the guest waits for pages without a limit until the source connects again
     */
    record Owing(@Nullable ReceivingLink link, @Nullable IOException cut) implements Reception {}

    /** The guest runs here. */
    record Running(ReceivingLink link) implements Reception {}

    /** The source has confirmed that the guest runs here, and will not connect again to ask. */
    record Confirmed(ReceivingLink link) implements Reception {}

    /** It is unknown whether the guest runs here. The source is told neither, now or when it connects again (STR-END-3). */
    record Uncertain(HandoverUncertainException why) implements Reception {}

    /**
     * The migration has failed; threads of connections may still use what was received.
     *
     * @param complete true if memory was closed before
     */
    record Failing(ReceivingLink link, IOException why, boolean complete) implements Reception {}

    /** The migration has failed, and no thread uses anything of it. */
    record Failed(IOException why, boolean complete) implements Reception {}

    /** The events. */
    sealed interface Event {
        /** The source has promised pages. */
        record Promised(ReceivingLink link) implements Event {}

        /** END was received on all connections, and the digests are equal. */
        record Ended(ReceivingLink link) implements Event {}

        /** The guest is ready to start. */
        record Prepared() implements Event {}

        /** GO was received. */
        record LetGo(ReceivingLink link) implements Event {}

        /** The guest runs. */
        record Started(boolean owed) implements Event {}

        /** All owed pages have arrived. */
        record Arrived() implements Event {}

        /** The guest does not run here, and will not. */
        record StartFailed(IOException why) implements Event {}

        /** The guest may run. */
        record StartUncertain(HandoverUncertainException why) implements Event {}

        /** HEARD was received. */
        record Heard() implements Event {}

        /** A connection failed. */
        record Lost(ReceivingLink link, IOException why) implements Event {}

        /** The source has connected again; no thread uses its earlier connections. */
        record Resumed(ReceivingLink link) implements Event {}

        /** The source did not connect again in time after these connections were lost. */
        record TimeOut(ReceivingLink link, Duration within) implements Event {}

        /** The destination is stopped. */
        record Stop() implements Event {}

        /** No thread uses the connections any more. */
        record LastLeft() implements Event {}
    }

    /**
     * Returns the state after an event; the same object if the event changes nothing.
     *
     * @throws StreamFault if the source must not send that now
     * @throws MigrationFailure if the event came on connections that were lost
     */
    static Reception next(Reception state, Event event) throws IOException {
        return switch (event) {
            case Event.Promised promised -> {
                state.check(promised.link);
                if (!(state instanceof Receiving)) {
                    throw new StreamFault("the source switched to post-copy at a point where it must not");
                }
                yield new Listening(promised.link);
            }
            case Event.Ended ended -> {
                state.check(ended.link);
                yield switch (state) {
                    case Receiving receiving -> new Complete(ended.link, false);
                    case Listening listening -> new Complete(ended.link, true);
                    default -> throw new StreamFault("END came a second time");
                };
            }
            case Event.Prepared prepared -> prepared(state);
            case Event.LetGo letGo -> letGo(state, letGo.link);
            case Event.Started(boolean owed) ->
                state instanceof Starting(ReceivingLink link, IOException cut)
                        ? owed ? new Owing(link, cut) : new Running(link)
                        : state;
            // Nothing else takes the guest away: if the source resumed it while it starts here, there would be two of
            // it.
            case Event.StartFailed failed ->
                state instanceof Starting starting ? new Failing(starting.link, failed.why, true) : state;
            case Event.Arrived arrived ->
                state instanceof Owing(ReceivingLink link, IOException cut) && link != null ? new Running(link) : state;
            case Event.StartUncertain uncertain ->
                state instanceof Failing || state instanceof Failed ? state : new Uncertain(uncertain.why);
            case Event.Heard heard ->
                switch (state) {
                    case Running running -> new Confirmed(running.link);
                    case Confirmed confirmed -> confirmed;
                    default -> throw new StreamFault("HEARD arrived before RUNNING was sent");
                };
            case Event.Lost lost -> lost(state, lost.link, lost.why);
            case Event.Resumed resumed -> resumed(state, resumed.link);
            case Event.TimeOut timeOut ->
                state instanceof Cut cut && cut.at.link() == timeOut.link
                        ? failing(
                                cut.at,
                                new IOException(
                                        "the connection to the source broke (" + cut.why.getMessage()
                                                + "), and the source did not reconnect within "
                                                + timeOut.within.toMillis() + " ms",
                                        cut.why))
                        : state;
            case Event.Stop stop ->
                switch (state) {
                    case Arriving at -> failing(at, new StreamFault("the destination was stopped"));
                    case Cut cut -> failing(cut.at, cut.why);
                    default -> state;
                };
            case Event.LastLeft left ->
                state instanceof Failing failing ? new Failed(failing.why, failing.complete) : state;
        };
    }

    /** Also if the connection was lost meanwhile: the guest is made ready once (STR-RES-5). */
    private static Reception prepared(Reception state) {
        return switch (state) {
            case Complete complete -> new Ready(complete.link);
            case Cut(Complete complete, IOException why) -> new Cut(new Ready(complete.link), why);
            default -> state;
        };
    }

    private static Reception letGo(Reception state, ReceivingLink link) throws IOException {
        state.check(link);
        return switch (state) {
            case Ready ready -> new Starting(ready.link, null);
            // The source asks again, because it did not get the answer.
            case Starting starting -> starting;
            case Owing owing -> owing;
            case Running running -> running;
            case Confirmed confirmed -> confirmed;
            default -> throw new StreamFault("the source handed over a guest that was not ready");
        };
    }

    private static Reception lost(Reception state, ReceivingLink link, IOException why) {
        return switch (state) {
            case Arriving at
            when at.link() == link ->
                // STR-ERR-2, STR-PST-7
                MigrationFailure.isFinal(why)
                                || !link.features.contains(StreamFeature.RESUME)
                                || at instanceof Listening
                                || at instanceof Complete(ReceivingLink current, boolean owed) && owed
                        ? failing(at, why)
                        : new Cut(at, why);
            // Connecting again would not help against a failure of the destination.
            case Cut cut when cut.at.link() == link && why instanceof DestinationFault -> failing(cut.at, why);
            case Starting(ReceivingLink current, IOException cut)
            when current == link && cut == null -> new Starting(current, why);
            case Owing(ReceivingLink current, IOException cut)
            when current == link && cut == null -> new Owing(current, why);
            default -> state;
        };
    }

    private static Reception resumed(Reception state, ReceivingLink next) throws IOException {
        return switch (state) {
            case Cut cut -> cut.at.on(next);
            case Starting starting -> new Starting(next, null);
            case Owing owing -> new Owing(next, null);
            case Running running -> new Running(next);
            case Confirmed confirmed -> new Confirmed(next);
            // Not a fault of the stream: an ERROR would mean that the guest does not run here.
            case Uncertain uncertain ->
                throw new IOException("the result of the start is unknown; the source can't resume");
            case Failing failing -> throw new StreamFault("the destination ended this migration");
            case Failed failed -> throw new StreamFault("the destination ended this migration");
            case Arriving at -> throw new IllegalStateException("the source reconnects while it is connected");
        };
    }

    private static Failing failing(Arriving at, IOException why) {
        return new Failing(at.link(), why, !(at instanceof Receiving));
    }

    /** The progress, for a source that connects again. */
    default Phase phase() {
        return switch (this) {
            case Arriving at -> at.phase();
            case Cut cut -> cut.at.phase();
            default -> Phase.RUNNING;
        };
    }

    /** The present connections, or the last ones; null if there are none any more. */
    default @Nullable ReceivingLink current() {
        return switch (this) {
            case Arriving at -> at.link();
            case Cut cut -> cut.at.link();
            case Starting starting -> starting.link;
            case Owing owing -> owing.link;
            case Running running -> running.link;
            case Confirmed confirmed -> confirmed.link;
            case Failing failing -> failing.link;
            case Uncertain uncertain -> null;
            case Failed failed -> null;
        };
    }

    /** True if pages are owed when the guest begins here, as far as the state shows. */
    default boolean owes() {
        return this instanceof Listening
                || this instanceof Complete(ReceivingLink link, boolean owed) && owed
                || this instanceof Owing;
    }

    /** True if messages can be sent on the present connections. */
    default boolean isReachable() {
        return switch (this) {
            case Cut cut -> false;
            case Failing failing -> false;
            case Failed failed -> false;
            case Uncertain uncertain -> false;
            case Starting starting -> starting.cut == null;
            case Owing owing -> owing.cut == null && owing.link != null;
            default -> true;
        };
    }

    /** True if no message of the source can change the outcome any more. */
    default boolean isOver() {
        return switch (this) {
            case Arriving at -> false;
            case Cut cut -> false;
            case Starting starting -> false;
            case Owing owing -> false;
            default -> true;
        };
    }

    /**
     * Checks that connections are still the present ones.
     *
     * @throws MigrationFailure why they are not
     */
    default void check(ReceivingLink link) throws MigrationFailure {
        IOException why = switch (this) {
            case Cut cut -> cut.why;
            case Starting starting -> starting.cut;
            case Owing owing -> owing.cut;
            case Failing failing -> failing.why;
            case Failed failed -> failed.why;
            default -> null;
        };
        if (why != null) {
            throw MigrationFailure.of(why).again();
        }
        if (link != current()) {
            throw new ConnectionLostException("the source reconnected on another connection", null);
        }
    }
}
