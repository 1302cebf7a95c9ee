package org.exomem.conform.wire;

import java.util.ArrayList;
import java.util.List;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Traffic;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.RingTraffic;
import org.exomem.conformance.guest.Used;

/**
 * The events of one check, in order. For one thread at a time. Keeps only the first and the last lines of a check with
 * very many events.
 */
public final class Transcript implements RingTraffic {
    private static final int FIRST = 200;
    private static final int LAST = 200;

    /**
     * One line.
     *
     * @param nanos nanoseconds since the check began
     * @param text what happened, decoded
     * @param bytes the message's bytes with its header; empty if the event was not a message
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    public record Line(long nanos, String text, byte[] bytes) {}

    private final long begin = System.nanoTime();
    private final List<Line> first = new ArrayList<>();
    private final List<Line> last = new ArrayList<>();
    private int leftOut;

    /** The front-end's connection. */
    public Traffic frontEnd() {
        return new Watched("", "the back-end", MessageText::request, MessageText::reply);
    }

    /** The back-end's own channel: requests are received, and replies are sent. */
    public Traffic backEndChannel() {
        return new Watched("channel: ", "the back-end", MessageText::channelReply, MessageText::channelRequest);
    }

    /** The front-end's connection, from the back-end's side: requests are received, and replies are sent. */
    public Traffic backEnd() {
        return new Watched("", "the front-end", MessageText::reply, MessageText::request);
    }

    /** The back-end's own channel, from the back-end's side. */
    public Traffic backEndsOwnChannel() {
        return new Watched("channel: ", "the front-end", MessageText::channelRequest, MessageText::channelReply);
    }

    /** Records a line of text. */
    public void say(String text) {
        add(text, new byte[0]);
    }

    @Override
    public void added(int ring, int id, List<Buffer> chain) {
        StringBuilder text = new StringBuilder("ring ")
                .append(ring)
                .append(": made available as ")
                .append(id);
        for (Buffer buffer : chain) {
            text.append(buffer.writable() ? " write " : " read ")
                    .append(buffer.length())
                    .append(" at 0x")
                    .append(Long.toHexString(buffer.address()));
        }
        say(text.toString());
    }

    @Override
    public void kicked(int ring) {
        say("ring " + ring + ": kicked");
    }

    @Override
    public void used(int ring, Used used) {
        say("ring " + ring + ": used " + used.id() + ", " + used.written() + " bytes written");
    }

    private void add(String text, byte[] bytes) {
        Line line = new Line(System.nanoTime() - begin, text, bytes);
        if (first.size() < FIRST) {
            first.add(line);
            return;
        }
        last.add(line);
        if (last.size() > LAST) {
            last.removeFirst();
            leftOut++;
        }
    }

    /** The last lines, at most {@code count}. */
    public List<Line> last(int count) {
        List<Line> from = last.size() < count ? lines() : last;
        return List.copyOf(from.subList(Math.max(0, from.size() - count), from.size()));
    }

    /** All lines that were kept. */
    public List<Line> lines() {
        List<Line> all = new ArrayList<>(first);
        if (leftOut > 0) {
            all.add(new Line(last.getFirst().nanos(), "(" + leftOut + " lines are omitted)", new byte[0]));
        }
        all.addAll(last);
        return List.copyOf(all);
    }

    /** Decodes a message of one direction. */
    @FunctionalInterface
    private interface Decoder {
        String decode(byte[] message, int fds);
    }

    private final class Watched implements Traffic {
        private final String where;
        private final String other;
        private final Decoder outgoing;
        private final Decoder incoming;

        Watched(String where, String other, Decoder outgoing, Decoder incoming) {
            this.where = where;
            this.other = other;
            this.outgoing = outgoing;
            this.incoming = incoming;
        }

        @Override
        public void sent(byte[] bytes, int fds) {
            add("-> " + where + outgoing.decode(bytes, fds), bytes);
        }

        @Override
        public void received(Reply message) {
            byte[] bytes = MessageText.bytes(message);
            add("<- " + where + incoming.decode(bytes, message.fds().size()), bytes);
        }

        @Override
        public void closed() {
            add("<- " + where + other + " closed the connection", new byte[0]);
        }
    }
}
