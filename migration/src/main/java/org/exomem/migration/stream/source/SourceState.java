package org.exomem.migration.stream.source;

import java.util.Arrays;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.format.Phase;
import org.exomem.migration.stream.format.RoundDigest;
import org.jspecify.annotations.Nullable;

/**
 * The state of a stream at its source. States change only by {@link #next}, which has no side effects.
 *
 * <pre>
 * Unconnected
 *   │ MEMORY, ACCEPTED
 *   ▼      ROUND_END          STATE_OPEN             END            READY           GO            RUNNING
 * Sending ───────────► Ending    ┌───► States ───────────► Ended ─────────► Ready ──────► LetGo ──────────► HandedOver
 *   ▲ │                  │       │     ▲    │
 *   │ └──────────────────┼───────┘     └────┘ STATE_OPEN
 *   └─── ROUND_DONE ─────┘
 *
 * With post-copy OWED leads from Sending to Promised, and from there nothing but states and END follow; RUNNING leads to Owing, and
 * ARRIVED from there to HandedOver.
 *
 * after a cut, in each of them:   any ── RESUME ──► Connecting(any) ── ACCEPTED ──► Sending, Ready, LetGo or Owing
 * </pre>
 *
 * <p>ACCEPTED says which: a destination that still receives gets everything again that came after its complete rounds
 * (STR-RES-4), and one that is ready gets GO (STR-RES-5). A source that has sent GO stays in LetGo or Owing, whatever it
 * receives (STR-RES-6).
 */
sealed interface SourceState {
    /**
     * The rounds that the destination has confirmed.
     *
     * @param digest the digest of all of them (STR-DIG-2)
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared as a whole
    record Rounds(long number, byte[] digest) {
        static final Rounds NONE = new Rounds(0, RoundDigest.none());

        Rounds plus(byte[] all) {
            return new Rounds(number + 1, all);
        }
    }

    /** What the destination certainly has. */
    Rounds done();

    /** The connections, which may be lost; null before there are any. */
    @Nullable
    SourceLink link();

    /** Before the first connection. */
    record Unconnected() implements SourceState {
        @Override
        public Rounds done() {
            return Rounds.NONE;
        }

        @Override
        public @Nullable SourceLink link() {
            return null;
        }
    }

    /** The main connection is made, and the destination is asked whether it accepts the migration. */
    record Connecting(SourceState before, SourceLink link) implements SourceState {
        @Override
        public Rounds done() {
            return before.done();
        }
    }

    /** The pages of a round are being sent. */
    record Sending(SourceLink link, Rounds done) implements SourceState {}

    /** ROUND_END was sent on all data connections. The destination must answer with the same digest. */
    record Ending(SourceLink link, Rounds done, Rounds next) implements SourceState {}

    /** The destination was told which pages come after the guest has begun there. */
    record Promised(SourceLink link, Rounds done) implements SourceState {}

    /**
     * Device states are being sent.
     *
     * @param begun how many were begun
     */
    record States(SourceLink link, Rounds done, int begun) implements SourceState {}

    /** END was sent. */
    record Ended(SourceLink link, Rounds done) implements SourceState {}

    /** The destination is ready to start the guest. */
    record Ready(SourceLink link, Rounds done) implements SourceState {}

    /**
     * GO was sent, or may have been: the destination has the guest (STR-END-3).
     *
     * @param began true if the destination had received GO before it answered on these connections, so that the guest may
     *     have run there since
     */
    record LetGo(SourceLink link, Rounds done, boolean began) implements SourceState {}

    /** The guest runs at the destination, and pages are owed to it. */
    record Owing(SourceLink link, Rounds done) implements SourceState {}

    /** The guest runs at the destination, with all of its memory. */
    record HandedOver(SourceLink link, Rounds done) implements SourceState {}

    /** The events. */
    sealed interface Event {
        /** A main connection was made. */
        record Connected(SourceLink link) implements Event {}

        /** ACCEPTED was received. */
        record Accepted(long rounds, Phase phase) implements Event {}

        /** ROUND_END was sent, with these digests chained to the one before. */
        @SuppressWarnings("ArrayRecordComponent") // never compared
        record RoundSent(byte[] digest) implements Event {}

        /** ROUND_DONE was received. */
        @SuppressWarnings("ArrayRecordComponent") // never compared
        record RoundDone(long number, byte[] digest) implements Event {}

        /** The first OWED is being sent. */
        record PromiseSent() implements Event {}

        /** A device's state begins. */
        record StateBegun() implements Event {}

        /** END is being sent. */
        record EndSent() implements Event {}

        /** READY was received. */
        record ReadyCame() implements Event {}

        /** GO is about to be sent. */
        record GoSent() implements Event {}

        /** RUNNING was received. */
        record RunningCame(boolean owes) implements Event {}

        /** ARRIVED was received. */
        record AllArrived() implements Event {}
    }

    /**
     * Returns the state after an event.
     *
     * @throws StreamFault if the destination must not send that now
     * @throws IllegalStateException if the source must not do that now
     */
    static SourceState next(SourceState state, Event event) throws StreamFault {
        return switch (event) {
            case Event.Connected connected ->
                new Connecting(state instanceof Connecting again ? again.before : state, connected.link);
            case Event.Accepted accepted -> accepted(state, accepted.rounds, accepted.phase);
            case Event.RoundSent sent ->
                switch (state) {
                    case Sending(SourceLink link, Rounds done) -> new Ending(link, done, done.plus(sent.digest));
                    case Ending(SourceLink link, Rounds done, Rounds next) ->
                        new Ending(link, done, done.plus(sent.digest));
                    default -> throw outOfTurn(state, event);
                };
            case Event.RoundDone came -> roundDone(state, came.number, came.digest);
            case Event.PromiseSent sent ->
                switch (state) {
                    case Sending(SourceLink link, Rounds done) -> new Promised(link, done);
                    default -> throw outOfTurn(state, event);
                };
            case Event.StateBegun begun ->
                switch (state) {
                    case Sending(SourceLink link, Rounds done) -> new States(link, done, 1);
                    case Promised(SourceLink link, Rounds done) -> new States(link, done, 1);
                    case States(SourceLink link, Rounds done, int before) -> new States(link, done, before + 1);
                    default -> throw outOfTurn(state, event);
                };
            case Event.EndSent sent ->
                switch (state) {
                    case Sending(SourceLink link, Rounds done) -> new Ended(link, done);
                    case Promised(SourceLink link, Rounds done) -> new Ended(link, done);
                    case States(SourceLink link, Rounds done, int begun) -> new Ended(link, done);
                    default -> throw outOfTurn(state, event);
                };
            case Event.ReadyCame came ->
                switch (state) {
                    case Ended(SourceLink link, Rounds done) -> new Ready(link, done);
                    default -> throw outOfTurn(state, event);
                };
            case Event.GoSent sent ->
                switch (state) {
                    case Ready(SourceLink link, Rounds done) -> new LetGo(link, done, false);
                    case LetGo again -> again;
                    default -> throw outOfTurn(state, event);
                };
            case Event.RunningCame came ->
                switch (state) {
                    case LetGo(SourceLink link, Rounds done, boolean _) ->
                        came.owes ? new Owing(link, done) : new HandedOver(link, done);
                    default -> throw outOfTurn(state, event);
                };
            case Event.AllArrived all ->
                switch (state) {
                    case Owing(SourceLink link, Rounds done) -> new HandedOver(link, done);
                    default -> throw outOfTurn(state, event);
                };
        };
    }

    private static SourceState accepted(SourceState state, long rounds, Phase phase) throws StreamFault {
        if (!(state instanceof Connecting(SourceState before, SourceLink link))) {
            throw outOfTurn(state, new Event.Accepted(rounds, phase));
        }
        Rounds done = before.done();
        // STR-RES-3: the lost message may be the answer to the last ROUND_END.
        if (before instanceof Ending ending && rounds == ending.next.number) {
            done = ending.next;
        }
        if (rounds != done.number) {
            throw new StreamFault("the destination reports " + rounds + " rounds, but " + done.number + " were sent");
        }
        if (before instanceof Unconnected && phase != Phase.RECEIVING) {
            throw new StreamFault("the destination reports that it has everything before anything was sent");
        }
        if (before instanceof LetGo) {
            return new LetGo(link, done, phase == Phase.RUNNING);
        }
        if (before instanceof Owing) {
            return new Owing(link, done);
        }
        return phase == Phase.RECEIVING ? new Sending(link, done) : new Ready(link, done);
    }

    private static SourceState roundDone(SourceState state, long number, byte[] digest) throws StreamFault {
        if (!(state instanceof Ending(SourceLink link, Rounds done, Rounds next))) {
            throw outOfTurn(state, new Event.RoundDone(number, digest));
        }
        // STR-DIG-4
        if (number != next.number || !Arrays.equals(digest, next.digest)) {
            throw new StreamFault("after round " + next.number
                    + " the destination does not have the data that was sent: the digests of round " + number
                    + " differ");
        }
        return new Sending(link, next);
    }

    private static IllegalStateException outOfTurn(SourceState state, Event event) {
        return new IllegalStateException(event.getClass().getSimpleName() + " in state "
                + state.getClass().getSimpleName());
    }
}
