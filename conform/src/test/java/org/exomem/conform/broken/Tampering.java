package org.exomem.conform.broken;

import java.util.List;

/**
 * What a saboteur does to one connection. Each method passes on what it is given, unless a tampering does otherwise. One object for
 * each connection, used by one thread.
 */
interface Tampering {
    /** Changes nothing, and leaves rings alone. */
    Tampering NONE = new Tampering() {};

    /** Changes nothing, and stands between the rings too. */
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

    /** Is called again and again, about every millisecond. */
    default void tick(Line line) {}

    /** Bytes of a message that did not come whole are on their way to the back-end. */
    default void piece(Line line) {}

    /** Somebody else has connected while this connection lasts. */
    default void secondConnection(Line line) {}

    /**
     * The connection has ended.
     *
     * @param byBackEnd true if the back-end closed it
     */
    default void ended(Line line, boolean byBackEnd) {}

    // Rings and the log

    /** True if the saboteur has to stand between the rings of driver and back-end, and between their logs. */
    default boolean relaysRings() {
        return false;
    }

    /** A ring starts: the back-end is told after this. */
    default void starting(RingRelay ring) {}

    /** A kick has come, and nothing new is available. */
    default void idleKick(RingRelay ring) {}

    /** True if the back-end looks for what is available only when it is kicked. */
    default boolean waitsForKicks() {
        return false;
    }

    /** The driver has made a chain available, which the back-end sees after this. */
    default void available(RingRelay ring, Chain chain) {}

    /** The back-end has used chains; returns what the driver sees instead. */
    default List<Element> used(RingRelay ring, List<Element> elements) {
        return elements;
    }

    /** Used elements were made visible; returns whether the driver is called. */
    default boolean calls(RingRelay ring, boolean wanted) {
        return wanted;
    }

    /** True if the index of a split ring, or the flags of a packed one, are written before the rest of a used element. */
    default boolean publishesBeforeContent(RingRelay ring) {
        return false;
    }

    /** The flags of a split used ring. */
    default int usedFlags(RingRelay ring) {
        return 0;
    }

    /** What the driver is told of when to kick next: avail_event of a split ring with EVENT_IDX. */
    default int availEvent(int seen) {
        return seen;
    }

    /** True if the log is changed as one should: by atomic operations. */
    default boolean logsAtomically() {
        return true;
    }

    /** Bits of a word of the log that the back-end has set; returns what is set instead. */
    default long logged(long bits, long word) {
        return bits;
    }
}
