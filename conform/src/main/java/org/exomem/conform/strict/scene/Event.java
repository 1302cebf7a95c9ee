package org.exomem.conform.strict.scene;

import org.exomem.conform.strict.front.FrontEndMessage;
import org.exomem.conform.strict.ring.Chain;
import org.exomem.conform.strict.ring.Ring;

/** An event of a session. The scene is that before the event, except where an event says otherwise. */
public sealed interface Event {
    /** A request came; it is not carried out yet. */
    record Requested(FrontEndMessage message) implements Event {}

    /** A request was carried out, and answered if it needs an answer. */
    record Served(FrontEndMessage message) implements Event {}

    /** The front-end sent something that is no message, so nothing after it can be understood. */
    record Garbled(String why) implements Event {}

    /** A ring runs from now on. The scene shows that already. */
    record RingStarted(Ring ring) implements Event {}

    /** A ring should run, and can't. */
    record RingUnfit(Ring ring, String why) implements Event {}

    /** A ring is about to be stopped. */
    record RingStopping(Ring ring) implements Event {}

    /**
     * The device was notified.
     *
     * @param asked false if the device had suppressed notifications, long enough ago
     * @param found how many chains were available
     */
    record Kicked(Ring ring, boolean asked, int found) implements Event {}

    /**
     * Chains are available, the device has asked for notifications, and it got none. It takes the chains now
     * nevertheless.
     */
    record NotKicked(Ring ring) implements Event {}

    /** Chains were made available while the device had suppressed notifications, and it got none. */
    record Quiet(Ring ring) implements Event {}

    /** The ring itself is invalid. No more chains are taken from it. */
    record RingBroken(Ring ring, String why) implements Event {}

    /** A chain was taken. */
    record Available(Ring ring, Chain chain) implements Event {}

    /**
     * A chain is about to be used.
     *
     * @param now the chain as it is in the ring now
     */
    record Using(Ring ring, Chain chain, Chain now) implements Event {}

    /** A chain was used. */
    record Used(Ring ring, Chain chain) implements Event {}

    /** The driver writes the config space. */
    record ConfigWritten(int offset, byte[] data) implements Event {
        public ConfigWritten {
            data = data.clone();
        }
    }

    /** A request on the device's own channel that asked for an answer got none within the limit, or a wrong one. */
    record Unanswered(String why) implements Event {}

    /** Such a request was answered. */
    record Answered() implements Event {}

    /** The front-end saved or loaded the device's state, and the transfer has ended. */
    record Transferred(boolean save, boolean whole) implements Event {}

    /** The device has called the driver without a reason. */
    record CalledForNothing(Ring ring) implements Event {}

    /** The device has committed a deliberate fault. */
    record Provoked(Kind kind, long now) implements Event {
        /** The kind of fault. */
        public enum Kind {
            /** A failure in answer to a request that asked for a reply. */
            FAILURE,
            /** An answer to another request. */
            WRONG_REPLY
        }
    }

    /** Time has passed. */
    record Tick(long now) implements Event {}

    /**
     * The session has ended.
     *
     * @param byFrontEnd true if the front-end has ended it
     */
    record Ended(boolean byFrontEnd) implements Event {}
}
