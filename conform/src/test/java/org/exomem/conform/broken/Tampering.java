package org.exomem.conform.broken;

import java.util.List;

/**
 * The changes of a saboteur to one connection. By default each method passes on its input. One object for each
 * connection, used by one thread.
 */
interface Tampering {
    /** Changes nothing, and does not relay rings. */
    Tampering NONE = new Tampering() {};

    /** Changes nothing, and relays rings. */
    Tampering RELAYED = new Tampering() {
        @Override
        public boolean relaysRings() {
            return true;
        }
    };

    // Messages

    /** A request of the front-end; returns what goes to the back-end instead. */
    default List<Message> request(Message message, Line line) {
        return List.of(message);
    }

    /** A reply of the back-end; returns what goes to the front-end instead. */
    default List<Message> reply(Message message, Line line) {
        return List.of(message);
    }

    /** A request of the back-end on its own channel; returns what goes to the front-end instead. */
    default List<Message> channelRequest(Message message, Line line) {
        return List.of(message);
    }

    /** Called repeatedly, about every millisecond. */
    default void tick(Line line) {}

    /** A part of an incomplete message goes to the back-end. */
    default void piece(Line line) {}

    /** Another front-end has connected during this connection. */
    default void secondConnection(Line line) {}

    /**
     * The connection has ended.
     *
     * @param byBackEnd true if the back-end closed it
     */
    default void ended(Line line, boolean byBackEnd) {}

    // Rings and the log

    /** True if the saboteur must relay the rings between driver and back-end, and their logs. */
    default boolean relaysRings() {
        return false;
    }

    /** A ring starts. The back-end is notified after this. */
    default void starting(RingRelay ring) {}

    /** A kick has come without a new available chain. */
    default void idleKick(RingRelay ring) {}

    /** True if the back-end looks for available chains only after a kick. */
    default boolean waitsForKicks() {
        return false;
    }

    /** The driver has made a chain available. The back-end sees it after this. */
    default void available(RingRelay ring, Chain chain) {}

    /** The back-end has used chains. Returns what the driver sees instead. */
    default List<Element> used(RingRelay ring, List<Element> elements) {
        return elements;
    }

    /** Used elements were made visible. Returns whether the driver gets a call. */
    default boolean calls(RingRelay ring, boolean wanted) {
        return wanted;
    }

    /**
     * True if the index of a split ring, or the flags of a packed one, are written before the rest of a used element.
     */
    default boolean publishesBeforeContent(RingRelay ring) {
        return false;
    }

    /** The flags of a split used ring. */
    default int usedFlags(RingRelay ring) {
        return 0;
    }

    /** The request for the next kick: avail_event of a split ring with EVENT_IDX. */
    default int availEvent(int seen) {
        return seen;
    }

    /** True if the log is changed rightly, by atomic operations. */
    default boolean logsAtomically() {
        return true;
    }

    /** Bits of a word of the log that the back-end has set. Returns the bits that are set instead. */
    default long logged(long bits, long word) {
        return bits;
    }
}
