package org.exomem.conform.broken;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.IntUnaryOperator;
import java.util.function.LongBinaryOperator;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.exomem.conformance.frontend.Payload;
import org.exomem.linux.LinuxException;
import org.jspecify.annotations.Nullable;

/** A tampering that is composed of single faults: each method adds one. For one connection. */
final class Broken implements Tampering {
    private final Map<Integer, Change> requests = new HashMap<>();
    private final Map<Integer, Change> replies = new HashMap<>();
    private @Nullable Change everyRequest;
    private @Nullable Change everyReply;
    private @Nullable Change channel;
    private @Nullable UsedChange used;
    private @Nullable CallChange calls;
    private @Nullable BiConsumer<RingRelay, Chain> available;
    private @Nullable LongBinaryOperator logged;
    private @Nullable IntUnaryOperator availEvent;
    private @Nullable Consumer<Line> tick;
    private @Nullable Consumer<Line> piece;
    private @Nullable Consumer<Line> second;
    private @Nullable End end;
    private Predicate<RingRelay> rings = ring -> true;
    private @Nullable Consumer<RingRelay> start;
    private @Nullable Consumer<Line> idleKick;
    private boolean logsPlainly;
    private boolean waits;
    private int usedFlags;
    private boolean contentLate;
    private boolean relays;

    /** The change of a message. */
    @FunctionalInterface
    interface Change {
        List<Message> apply(Message message, Line line) throws LinuxException;
    }

    /** The change of used elements. */
    @FunctionalInterface
    interface UsedChange {
        List<Element> apply(RingRelay ring, List<Element> elements);
    }

    /** Whether the driver is called. */
    @FunctionalInterface
    interface CallChange {
        boolean apply(RingRelay ring, boolean wanted);
    }

    // Requests

    Broken onRequest(int request, Change change) {
        requests.put(request, change);
        return this;
    }

    Broken onEveryRequest(Change change) {
        everyRequest = change;
        return this;
    }

    /** The back-end receives another message than the front-end sent. */
    Broken taking(int request, UnaryOperator<Message> change) {
        return onRequest(request, (message, line) -> List.of(change.apply(message)));
    }

    /** The back-end reports success, and has done nothing. */
    Broken ignoring(int request) {
        return ignoring(request, message -> true);
    }

    /** The same for some of these requests. */
    Broken ignoring(int request, Predicate<Message> which) {
        return onRequest(request, (message, line) -> {
            if (!which.test(message)) {
                return List.of(message);
            }
            line.acknowledge(message);
            return List.of();
        });
    }

    /** The back-end closes the connection. */
    Broken closingOn(int request) {
        return closingOn(request, message -> true);
    }

    Broken closingOn(int request, Predicate<Message> which) {
        return onRequest(request, (message, line) -> {
            if (which.test(message)) {
                message.close();
                line.end();
                return List.of();
            }
            return List.of(message);
        });
    }

    /** The back-end sends this answer to any request of the kind. */
    Broken answeringItself(int request, UnaryOperator<Message> answer) {
        return onRequest(request, (message, line) -> {
            line.toFrontEnd(answer.apply(message));
            message.close();
            return List.of();
        });
    }

    /** Something happens before the request is passed on. */
    Broken before(int request, Consumer<Line> act) {
        return onRequest(request, (message, line) -> {
            act.accept(line);
            return List.of(message);
        });
    }

    // Replies

    Broken onReply(int request, Change change) {
        replies.put(request, change);
        return this;
    }

    Broken onEveryReply(Change change) {
        everyReply = change;
        return this;
    }

    /** The back-end sends another answer. */
    Broken answering(int request, UnaryOperator<Message> change) {
        return onReply(request, (message, line) -> List.of(change.apply(message)));
    }

    /** The back-end does not answer. */
    Broken silentOn(int request) {
        return onReply(request, (message, line) -> {
            message.close();
            return List.of();
        });
    }

    /** The back-end refuses every such request, with an error in its reply. */
    Broken refusing(int request) {
        return answering(request, message -> message.withPayload(Payload.number(1)));
    }

    /** Clears bits of an answer that is one number. */
    Broken withoutBits(int request, long bits) {
        return answering(request, message -> message.withLong(0, message.longAt(0) & ~bits));
    }

    Broken withBits(int request, long bits) {
        return answering(request, message -> message.withLong(0, message.longAt(0) | bits));
    }

    /** The back-end's own requests. */
    Broken onChannel(Change change) {
        channel = change;
        return this;
    }

    /** The action at the end of the connection. */
    @FunctionalInterface
    interface End {
        void ended(Line line, boolean byBackEnd);
    }

    Broken onEnd(End act) {
        end = act;
        return this;
    }

    /** Closes the kept descriptors at the end of the connection. */
    Broken keeping(Fds fds) {
        return onEnd((line, byBackEnd) -> fds.close());
    }

    Broken onPiece(Consumer<Line> act) {
        piece = act;
        return this;
    }

    Broken onSecondConnection(Consumer<Line> act) {
        second = act;
        return this;
    }

    Broken onTick(Consumer<Line> act) {
        tick = act;
        return this;
    }

    // Rings

    Broken usedAs(UsedChange change) {
        used = change;
        relays = true;
        return this;
    }

    /** Replaces each used element. */
    Broken eachUsed(UnaryOperator<Element> change) {
        return usedAs((ring, elements) -> elements.stream().map(change).toList());
    }

    /** Changes guest memory before the driver sees that a chain was used. */
    Broken beforeUsed(BiConsumer<RingRelay, Chain> act) {
        return usedAs((ring, elements) -> {
            elements.forEach(element -> act.accept(ring, ring.chain(element.id())));
            return elements;
        });
    }

    /** These chains are never used. */
    Broken neverUsing(Predicate<Chain> which) {
        return usedAs((ring, elements) -> elements.stream()
                .filter(element -> !which.test(ring.chain(element.id())))
                .toList());
    }

    Broken callingIf(CallChange change) {
        calls = change;
        relays = true;
        return this;
    }

    Broken onAvailable(BiConsumer<RingRelay, Chain> act) {
        available = act;
        relays = true;
        return this;
    }

    Broken publishingBeforeContent() {
        contentLate = true;
        relays = true;
        return this;
    }

    Broken withUsedFlags(int flags) {
        usedFlags = flags;
        relays = true;
        return this;
    }

    Broken withAvailEvent(IntUnaryOperator change) {
        availEvent = change;
        relays = true;
        return this;
    }

    /** Restricts the faults to these rings. */
    Broken onRings(Predicate<RingRelay> which) {
        rings = which;
        return this;
    }

    /** Runs an action when a ring starts. */
    Broken onStart(Consumer<RingRelay> act) {
        start = act;
        relays = true;
        return this;
    }

    Broken onIdleKick(Consumer<Line> act) {
        idleKick = act;
        relays = true;
        return this;
    }

    /** The log is read and written without atomic operations. */
    Broken loggingPlainly() {
        logsPlainly = true;
        relays = true;
        return this;
    }

    /** Looks for available chains only after a kick. */
    Broken waitingForKicks() {
        waits = true;
        relays = true;
        return this;
    }

    /** Relays the rings, for the other faults. */
    Broken relaying() {
        relays = true;
        return this;
    }

    /** @param change receives the bits and the number of the 64-bit word of the log; returns the bits that are set */
    Broken logging(LongBinaryOperator change) {
        logged = change;
        relays = true;
        return this;
    }

    @Override
    public List<Message> request(Message message, Line line) {
        return apply(requests.get(message.request()), everyRequest, message, line);
    }

    @Override
    public List<Message> reply(Message message, Line line) {
        return apply(replies.get(message.request()), everyReply, message, line);
    }

    @Override
    public List<Message> channelRequest(Message message, Line line) {
        return apply(channel, null, message, line);
    }

    private static List<Message> apply(@Nullable Change own, @Nullable Change every, Message message, Line line) {
        try {
            List<Message> changed = own == null ? List.of(message) : own.apply(message, line);
            if (every == null) {
                return changed;
            }
            List<Message> all = new ArrayList<>();
            for (Message each : changed) {
                all.addAll(every.apply(each, line));
            }
            return all;
        } catch (LinuxException e) {
            line.end();
            return List.of();
        }
    }

    @Override
    public void ended(Line line, boolean byBackEnd) {
        if (end != null) {
            end.ended(line, byBackEnd);
        }
    }

    @Override
    public void piece(Line line) {
        if (piece != null) {
            piece.accept(line);
        }
    }

    @Override
    public void secondConnection(Line line) {
        if (second != null) {
            second.accept(line);
        }
    }

    @Override
    public void tick(Line line) {
        if (tick != null) {
            tick.accept(line);
        }
    }

    @Override
    public boolean relaysRings() {
        return relays;
    }

    @Override
    public void starting(RingRelay ring) {
        if (start != null) {
            start.accept(ring);
        }
    }

    @Override
    public void idleKick(RingRelay ring) {
        if (idleKick != null) {
            idleKick.accept(ring.line());
        }
    }

    @Override
    public boolean waitsForKicks() {
        return waits;
    }

    @Override
    public boolean logsAtomically() {
        return !logsPlainly;
    }

    @Override
    public void available(RingRelay ring, Chain chain) {
        if (available != null && rings.test(ring)) {
            available.accept(ring, chain);
        }
    }

    @Override
    public List<Element> used(RingRelay ring, List<Element> elements) {
        return used == null || !rings.test(ring) ? elements : used.apply(ring, elements);
    }

    @Override
    public boolean calls(RingRelay ring, boolean wanted) {
        return calls == null || !rings.test(ring) ? wanted : calls.apply(ring, wanted);
    }

    @Override
    public boolean publishesBeforeContent(RingRelay ring) {
        return contentLate && rings.test(ring);
    }

    @Override
    public int usedFlags(RingRelay ring) {
        return rings.test(ring) ? usedFlags : 0;
    }

    @Override
    public int availEvent(int seen) {
        return availEvent == null ? seen : availEvent.applyAsInt(seen);
    }

    @Override
    public long logged(long bits, long word) {
        return logged == null ? bits : logged.applyAsLong(bits, word);
    }
}
