package org.exomem.migration.stream.destination;

import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import org.exomem.migration.DestinationFault;
import org.exomem.migration.HandoverUncertainException;
import org.exomem.migration.MigrationFailure;
import org.exomem.migration.PeerFault;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.format.ChunkReader;
import org.exomem.migration.stream.format.ChunkType;
import org.exomem.migration.stream.format.OwedPieces;
import org.exomem.migration.stream.format.Phase;
import org.exomem.migration.stream.format.RoundDigest;
import org.exomem.migration.stream.wire.Closing;
import org.exomem.migration.stream.wire.LivenessWatch;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;

/**
 * The destination's end of the main connection, after the migration was accepted: device states, the end, and the hand-over.
 * For one thread.
 */
final class MainReceiver {
    private final ReceivingSession session;
    private final ReceivingLink link;
    private final ChunkReader reader;
    private final LivenessWatch watch;
    /** The OWED chunks of the present sequence. */
    private OwedPieces owed;
    /** The promised pages, when all of them are known. */
    private @Nullable PageBits promised;
    /** True if all owed pages are known. */
    private boolean owes;

    private @Nullable OutputStream state;
    private long states;
    private long offset;

    MainReceiver(ReceivingSession session, ReceivingLink link, ChunkReader reader, LivenessWatch watch) {
        this.session = session;
        this.link = link;
        this.reader = reader;
        this.watch = watch;
        this.owed = new OwedPieces(session.memory().pages());
    }

    /**
     * Receives until the source has confirmed that the guest runs here.
     *
     * @throws IOException if the connection, the stream or the destination fails
     */
    void run() throws IOException {
        try {
            while (reader.next()) {
                watch.heard();
                watch.busy(true);
                boolean last = take();
                watch.busy(false);
                if (last) {
                    return;
                }
            }
            throw new EOFException("the source ended the connection");
        } finally {
            watch.busy(false);
            if (state != null) {
                Closing.quietly(state);
            }
        }
    }

    /** Handles a chunk. True if it was the last one. */
    private boolean take() throws IOException {
        switch (reader.type()) {
            case ALIVE -> {}
            case STATE_OPEN -> open();
            case STATE -> state();
            case STATE_CLOSE -> closeState();
            case OWED -> owed();
            case END -> end();
            case GO -> go();
            case HEARD -> {
                session.confirm();
                return true;
            }
            case ERROR -> throw new PeerFault("the source ended the migration: " + reader.text());
            // STR-CHUNK-4
            default -> throw new StreamFault("the source sent " + reader.type() + " on the main connection");
        }
        return false;
    }

    private void owed() throws IOException {
        // STR-PST-1
        if (!link.mayBeOwed() || state != null || states != 0 || owes) {
            throw new StreamFault("the source sent an unexpected OWED");
        }
        boolean arriving = session.phase() == Phase.RECEIVING;
        if (!arriving && !session.owes()) {
            throw new StreamFault("the source owes no pages to this destination");
        }
        reader.count(reader.payload());
        if (!owed.take(reader.first(), reader.count(), reader.payload())) {
            return;
        }
        if (!arriving) {
            oweAgain();
        } else if (promised == null) {
            listen();
        } else {
            owe(promised);
        }
    }

    private void oweAgain() throws IOException {
        owes = true;
        try {
            session.oweAgain(link, owed.owed());
        } catch (IOException e) {
            throw new IOException("the destination can't continue with the owed pages: " + e.getMessage(), e);
        }
    }

    private void listen() throws IOException {
        promised = owed.owed();
        owed = new OwedPieces(session.memory().pages());
        try {
            session.listen(link, promised);
        } catch (MigrationFailure e) {
            throw e;
        } catch (IOException e) {
            throw new DestinationFault("the guest can't start at the destination before its memory has arrived", e);
        }
        link.say(writer -> writer.chunk(ChunkType.LISTENING, 0, 0));
    }

    private void owe(PageBits before) throws IOException {
        PageBits all = owed.owed();
        PageBits twice = new PageBits(all.pages());
        twice.copyOf(all);
        twice.and(before);
        if (!twice.isEmpty()) {
            throw new StreamFault("page " + twice.next(0) + " is owed twice");
        }
        all.or(before);
        owes = true;
        try {
            session.owe(all);
        } catch (IOException e) {
            throw new DestinationFault("the destination can't start the guest without the owed pages", e);
        }
    }

    private void open() throws IOException {
        expectAllOwed();
        if (state != null || reader.first() != states || session.phase() != Phase.RECEIVING) {
            throw new StreamFault("the source began device state " + reader.first() + " where " + states
                    + (state == null ? " was next" : " was not at its end"));
        }
        String name = reader.text();
        count();
        offset = 0;
        try {
            state = session.destination().deviceState(name);
        } catch (IOException e) {
            throw new DestinationFault("the destination can't accept the state of device " + name, e);
        }
    }

    /** STR-PST-2 */
    private void expectAllOwed() throws StreamFault {
        if (!owes && (promised != null || owed.hasBegun())) {
            throw new StreamFault("the source continued before it had sent the complete list of the owed pages");
        }
    }

    private void state() throws IOException {
        OutputStream open = opened();
        ByteBuffer payload = reader.payload();
        byte[] piece = new byte[payload.remaining()];
        payload.get(piece);
        count();
        offset += piece.length;
        try {
            open.write(piece);
        } catch (IOException e) {
            throw new DestinationFault("the destination can't accept the state of a device", e);
        }
    }

    private void closeState() throws IOException {
        OutputStream open = opened();
        count();
        states++;
        state = null;
        try {
            open.close();
        } catch (IOException e) {
            throw new DestinationFault("the destination can't accept the state of a device", e);
        }
    }

    private OutputStream opened() throws StreamFault {
        if (state == null || reader.first() != states || reader.count() != offset) {
            throw new StreamFault("a piece of device state " + reader.first() + " is for byte "
                    + Long.toUnsignedString(reader.count()) + ", where "
                    + (state == null ? "no state was open" : "byte " + offset + " of state " + states + " was next"));
        }
        return state;
    }

    private void count() {
        reader.count(reader.payload());
    }

    private void end() throws IOException {
        expectAllOwed();
        if (state != null || reader.payload().remaining() != RoundDigest.BYTES) {
            throw new StreamFault("the source ended within the state of a device");
        }
        byte[] theirs = new byte[RoundDigest.BYTES];
        reader.payload().get(theirs);
        ReceivedMigration received =
                session.complete(link, reader.first(), theirs, reader.digest().finish());
        try {
            session.destination().ready(received);
        } catch (IOException e) {
            throw new DestinationFault("the destination can't prepare the guest", e);
        }
        session.finishPreparing(link);
        link.say(writer -> writer.chunk(ChunkType.READY, 0, 0));
    }

    private void go() throws IOException {
        boolean starts = session.takeOver(link);
        if (starts) {
            start();
        } else {
            session.awaitStarted(link);
        }
        if (!session.owes()) {
            // Nothing is sent after this: a source closes the connection when it has read it (STR-END-7).
            watch.close();
        }
        try {
            link.sayRunning();
        } finally {
            // Only now: a caller that waits for this may end the process, and the source must have been notified
            // before.
            if (starts) {
                session.finishStarting();
            }
        }
    }

    private void start() throws IOException {
        try {
            session.destination().start();
        } catch (HandoverUncertainException e) {
            session.leaveUncertain(e);
            throw e;
        } catch (IOException e) {
            DestinationFault fault = new DestinationFault("the destination can't start the guest", e);
            session.failStart(fault);
            throw fault;
        } catch (RuntimeException | Error e) {
            HandoverUncertainException uncertain = new HandoverUncertainException(
                    "internal error of exomem while it started the guest, which may run: " + e, e);
            session.leaveUncertain(uncertain);
            throw uncertain;
        }
    }
}
