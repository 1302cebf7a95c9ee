package org.exomem.mem;

import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The way of a device from one size to another, as its operator sees it: how far it is, how fast, and why it stands still.
 * It does nothing by itself: what happens to the device is told to it, and {@link #look} lets it see that time has passed.
 * Not thread-safe. Sizes in bytes, times in ns.
 *
 * <p>A job that stands still is not over. It runs again when anything moves, or when it is {@linkplain #resume resumed}.
 */
public final class ResizeJob {
    /** A guest that has not moved for so long has stopped trying, or can't. */
    static final long PATIENCE = 5_000_000_000L;

    /** Where a job stands. */
    public enum Status {
        /** On its way. */
        RUNNING,
        /** Stands still; {@link State#reason} says why. */
        STALLED,
        /** Over; {@link State#outcome} says how. */
        CONCLUDED
    }

    /** How a job ended. */
    public enum Outcome {
        DONE,
        CANCELLED,
        /** Another size was asked for. */
        REPLACED
    }

    /** Who is there to do the work. */
    public enum Presence {
        /** No front-end is connected. */
        NOBODY,
        /** A front-end is connected, and no driver has started. */
        FRONT_END,
        /** A driver runs. */
        DRIVER
    }

    /**
     * A job at one moment.
     *
     * @param from plugged when it began
     * @param requested what it is to come to
     * @param plugged what it has come to
     * @param rate bytes a second over the last seconds, or 0
     * @param outcome how it ended, once it has
     * @param reason why it stands still, for people; null unless it does
     */
    public record State(
            String id,
            Status status,
            @Nullable Outcome outcome,
            @Nullable String reason,
            long from,
            long requested,
            long plugged,
            long rate) {}

    private final String id;
    private final long from;
    private final long requested;
    private final LongSupplier clock;
    private final Consumer<State> listener;
    private final Speed speed;
    private long plugged;
    private long movedAt;
    private Presence presence;
    private Status status = Status.RUNNING;
    private @Nullable Outcome outcome;
    private @Nullable String reason;

    /**
     * Starts a job; it is over at once if there is nothing to do.
     *
     * @param clock ns, from any origin
     * @param listener is told whenever the status changes, and of the first one
     */
    public ResizeJob(
            String id, long plugged, long requested, Presence presence, LongSupplier clock, Consumer<State> listener) {
        this.id = id;
        this.from = plugged;
        this.requested = requested;
        this.clock = clock;
        this.listener = listener;
        this.plugged = plugged;
        this.presence = presence;
        this.movedAt = clock.getAsLong();
        this.speed = new Speed(plugged, movedAt);
        if (plugged == requested) {
            outcome = Outcome.DONE;
            status = Status.CONCLUDED;
        } else if (presence != Presence.DRIVER) {
            status = Status.STALLED;
            reason = absence();
        }
        listener.accept(state());
    }

    /** The name of the job, unique in its process. */
    public String id() {
        return id;
    }

    /** What the device is to come to. */
    public long requested() {
        return requested;
    }

    /** True once it is concluded: nothing changes it any more. */
    public boolean isOver() {
        return status == Status.CONCLUDED;
    }

    /** How far it is now. Not thread-safe, as all of this class. */
    public State state() {
        long rate = status == Status.RUNNING ? speed.at(plugged, clock.getAsLong()) : 0;
        return new State(id, status, outcome, reason, from, requested, plugged, rate);
    }

    /** The size of all plugged blocks has changed. */
    public void pluggedIs(long bytes) {
        if (isOver()) {
            return;
        }
        boolean nearer = Math.abs(requested - bytes) < Math.abs(requested - plugged);
        plugged = bytes;
        if (bytes == requested) {
            conclude(Outcome.DONE);
        } else if (nearer) {
            run();
        }
    }

    /** A front-end or a driver came or went. */
    public void presenceIs(Presence now) {
        presence = now;
        if (isOver()) {
            return;
        }
        if (now == Presence.DRIVER) {
            run();
        } else {
            stall(absence());
        }
    }

    /** A request of the driver was answered BUSY. */
    public void hostIsBusy(String why) {
        if (!isOver()) {
            stall("the host can't: " + why);
        }
    }

    /** Somebody wants it to go on. */
    public void resume() {
        if (!isOver() && presence == Presence.DRIVER) {
            run();
        }
    }

    /** Ends it where it is. The caller sees to it that the driver hears of it. */
    public void cancel() {
        if (!isOver()) {
            conclude(Outcome.CANCELLED);
        }
    }

    /** Another job takes its place. */
    public void replace() {
        if (!isOver()) {
            conclude(Outcome.REPLACED);
        }
    }

    /** Time has passed. Returns in how many ns to look again, or nothing if only an event can change it. */
    public OptionalLong look() {
        if (status != Status.RUNNING) {
            return OptionalLong.empty();
        }
        long rest = movedAt + PATIENCE - clock.getAsLong();
        if (rest > 0) {
            return OptionalLong.of(rest);
        }
        stall(
                requested > plugged
                        ? "the guest does not plug more: its driver refuses, or has no room for what it needs to"
                                + " manage more"
                        : "the guest does not give more back: what is left is in use, or can't be moved");
        return OptionalLong.empty();
    }

    private String absence() {
        return presence == Presence.NOBODY ? "no VMM is connected" : "the guest's driver has not started";
    }

    private void run() {
        movedAt = clock.getAsLong();
        reason = null;
        change(Status.RUNNING);
    }

    private void stall(String why) {
        reason = why;
        change(Status.STALLED);
    }

    private void conclude(Outcome how) {
        outcome = how;
        reason = null;
        change(Status.CONCLUDED);
    }

    private void change(Status to) {
        if (status != to) {
            status = to;
            listener.accept(state());
        }
    }
}
