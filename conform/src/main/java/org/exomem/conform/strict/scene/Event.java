package org.exomem.conform.strict.scene;

import org.exomem.conform.strict.front.FrontEndMessage;
import org.exomem.conform.strict.ring.Chain;
import org.exomem.conform.strict.ring.Ring;

/** What happens, one after the other. The scene is as it was before, unless it says otherwise. */
public sealed interface Event {
    /** A request came; it was not carried out yet. */
    record Requested(FrontEndMessage message) implements Event {}

    /** A request was carried out, and answered if it has to be. */
    record Served(FrontEndMessage message) implements Event {}

    /** What came is no message, and nothing after it can be understood. */
    record Garbled(String why) implements Event {}

    /** A ring runs from now on; the scene has it so. */
    record RingStarted(Ring ring) implements Event {}

    /** A ring was told to run and can't. */
    record RingUnfit(Ring ring, String why) implements Event {}

    /** A ring is about to be stopped. */
    record RingStopping(Ring ring) implements Event {}

    /**
     * The device was notified.
     *
     * @param asked false if the device had asked not to be, long enough ago
     * @param found how many chains were available
     */
    record Kicked(Ring ring, boolean asked, int found) implements Event {}

    /** Chains are available, the device has asked to be notified, and was not. They are taken now nevertheless. */
    record NotKicked(Ring ring) implements Event {}

    /** Chains were made available while the device had asked not to be notified, and it was not notified. */
    record Quiet(Ring ring) implements Event {}

    /** The ring itself is wrong; nothing more is taken from it. */
    record RingBroken(Ring ring, String why) implements Event {}

    /** A chain was taken. */
    record Available(Ring ring, Chain chain) implements Event {}

    /**
     * A chain is about to be used.
     *
     * @param now the chain as it stands in the ring now
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

    /** A request on the device's own channel that asked for an answer got none within the limit, or the wrong one. */
    record Unanswered(String why) implements Event {}

    /** Such a request was answered. */
    record Answered() implements Event {}

    /** The state of the device was asked for or given, and the transfer has ended. */
    record Transferred(boolean save, boolean whole) implements Event {}

    /** The device has called the driver without a reason. */
    record CalledForNothing(Ring ring) implements Event {}

    /** The device has done something wrong on purpose. */
    record Provoked(Kind kind, long now) implements Event {
        /** What it was. */
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
