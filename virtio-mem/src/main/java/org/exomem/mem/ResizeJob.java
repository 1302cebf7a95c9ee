package org.exomem.mem;

import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The progress of a device from one size to another, for its operator: how far, how fast, and why it stalls. A job does
 * nothing by itself. The caller reports the device's events to it, and calls {@link #look} when time has passed. For one
 * thread. Sizes in bytes, times in ns.
 *
 * <p>A stalled job is not over. It runs again when the size comes nearer, when a driver starts, or when it is {@linkplain
 * #resume resumed}.
 */
public final class ResizeJob {
    /** A guest without progress for this time, in ns, has stopped trying, or cannot go further. */
    static final long PATIENCE = 5_000_000_000L;

    /** The status of a job. */
    public enum Status {
        /** Under way. */
        RUNNING,
        /** Stalled; {@link State#reason} gives the reason. */
        STALLED,
        /** Over; {@link State#outcome} says how it ended. */
        CONCLUDED
    }

    /** How a job ended. */
    public enum Outcome {
        DONE,
        CANCELLED,
        /** Another size was requested. */
        REPLACED
    }

    /** Whether a front-end and a driver are there. */
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
     * @param from the plugged size when it began
     * @param requested the size to reach
     * @param plugged the size reached
     * @param rate bytes a second over the last seconds, or 0
     * @param outcome how it ended; null until then
     * @param reason why it is stalled, for people; null unless it is
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
     * Starts a job. It is over at once if the size is right already.
     *
     * @param clock in ns, from any origin
     * @param listener receives the first state, and the state after each change of status
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

    /** The size to reach. */
    public long requested() {
        return requested;
    }

    /** True once it is concluded. It does not change after that. */
    public boolean isOver() {
        return status == Status.CONCLUDED;
    }

    /** The present state. */
    public State state() {
        long rate = status == Status.RUNNING ? speed.at(plugged, clock.getAsLong()) : 0;
        return new State(id, status, outcome, reason, from, requested, plugged, rate);
    }

    /** The size of all plugged blocks has changed to {@code bytes}. */
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

    /** A front-end or a driver has started or left. */
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
            stall("the host can't carry out the request: " + why);
        }
    }

    /** The operator wants it to continue. */
    public void resume() {
        if (!isOver() && presence == Presence.DRIVER) {
            run();
        }
    }

    /** Ends it at the present size. The caller tells the driver. */
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

    /** Notes that time has passed. Returns the ns until the next call, or nothing if only an event can change the job. */
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
                        ? "the guest does not plug more: its driver refuses, or has no memory to manage more"
                        : "the guest does not unplug more: the remaining memory is in use, or can't be moved");
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
