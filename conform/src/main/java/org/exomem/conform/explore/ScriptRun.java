package org.exomem.conform.explore;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.exomem.conform.trial.BackEnd;
import org.exomem.conform.trial.Closing;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;
import org.exomem.conform.trial.Sample;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conform.trial.Wish;
import org.exomem.conform.wire.MessageText;
import org.exomem.conform.wire.Transcript;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.PipeEnd;
import org.exomem.linux.SharedFile;
import org.exomem.linux.UnixSockets;
import org.jspecify.annotations.Nullable;

/** Executes scripts, and checks whether the back-end has survived. For one thread. */
final class ScriptRun {
    private static final int PAGE = 4096;

    private final BackEnd backEnd;
    private final Limits limits;
    private final @Nullable Sample sample;

    /** @param sample a request that a new session must serve after each script; null if none is known */
    ScriptRun(BackEnd backEnd, Limits limits, @Nullable Sample sample) {
        this.backEnd = backEnd;
        this.limits = limits;
        this.sample = sample;
    }

    /** Runs a script. Returns how the back-end failed; empty if it did not. */
    Optional<Finding> run(Script script) {
        Optional<Finding> found;
        try (Attack attack = new Attack()) {
            found = attack.run(script);
        } catch (IOException e) {
            found = Optional.of(new Finding(Finding.NO_SESSION, "no session for the script: " + e.getMessage()));
        }
        Optional<Finding> after = found.isPresent() ? Optional.empty() : nextSession();
        Optional<BackEnd.Ending> ending = backEnd.ended();
        if (ending.isPresent() && ending.get().isCrash()) {
            return Optional.of(new Finding(
                    Finding.CRASH,
                    "the back-end " + ending.get() + ": " + ending.get().lastWords()));
        }
        return found.isPresent() ? found : after;
    }

    /** A process that ends with its front-end has been restarted by then. */
    private Optional<Finding> nextSession() {
        Transcript transcript = new Transcript();
        try (Trial trial = new Trial(backEnd, limits, DeviceType.ANY, sample, transcript)) {
            if (sample == null) {
                trial.session(Wish.USUAL).settle();
            } else {
                trial.running(Wish.USUAL).serve();
            }
            return Optional.empty();
        } catch (IOException | Unmet | Skipped | IllegalStateException e) {
            return Optional.of(new Finding(Finding.NO_SESSION, "the next session is not served: " + e.getMessage()));
        }
    }

    /** The front-end and guest of one script. */
    private final class Attack implements AutoCloseable {
        private final GuestRam ram = GuestRam.ofSize(GuestLayout.MEMORY);
        private final List<EventFd> kicks = new ArrayList<>();
        private final EventFd call;
        private final SharedFile page;
        private final SharedFile empty;
        private final Fd pipe;
        private final Fd socket;
        private Connection connection;
        private Set<Integer> asked = new HashSet<>();
        private boolean open = true;
        /**
         * False after a message with a wrong size in its header: the back-end may wait for more, or read the next
         * message as a part of this one.
         */
        private boolean inStep = true;
        /** False after a message with flags that no front-end sets: some back-ends return them. */
        private boolean flagsAreRight = true;

        Attack() throws IOException {
            for (int ring = 0; ring < GuestLayout.RINGS; ring++) {
                kicks.add(new EventFd());
            }
            call = new EventFd();
            page = SharedFile.memfd("page", PAGE);
            empty = SharedFile.memfd("empty", 0);
            PipeEnd.Pipe both = PipeEnd.pipe();
            both.writeEnd().close();
            pipe = both.readEnd();
            List<Fd> pair = UnixSockets.pair();
            pair.get(1).close();
            socket = pair.get(0);
            connection = connect();
        }

        private Connection connect() throws IOException {
            return new Connection(backEnd.connect(), limits.answer());
        }

        Optional<Finding> run(Script script) throws IOException {
            for (Step step : script.steps()) {
                Optional<Finding> found = take(step);
                if (found.isPresent()) {
                    return found;
                }
            }
            return settle();
        }

        private Optional<Finding> take(Step step) throws IOException {
            return switch (step) {
                case Step.Send send -> send(send);
                case Step.Write(long address, byte[] bytes) -> {
                    MemorySegment.copy(
                            MemorySegment.ofArray(bytes), 0, ram.bytes(address, bytes.length), 0, bytes.length);
                    yield Optional.empty();
                }
                case Step.Kick(int ring) -> {
                    kicks.get(ring).signal();
                    yield Optional.empty();
                }
                case Step.Settle() -> settle();
                case Step.Reconnect() -> {
                    connection.close();
                    connection = connect();
                    asked = new HashSet<>();
                    open = true;
                    inStep = true;
                    flagsAreRight = true;
                    yield Optional.empty();
                }
            };
        }

        private Optional<Finding> send(Step.Send send) throws IOException {
            if (!open) {
                return Optional.empty();
            }
            byte[] bytes = ByteBuffer.allocate(Connection.HEADER_SIZE + send.payload().length)
                    .order(ByteOrder.nativeOrder())
                    .putInt(send.request())
                    .putInt(send.flags())
                    .putInt(send.size())
                    .put(send.payload())
                    .array();
            asked.add(send.request());
            inStep &= send.size() == send.payload().length;
            flagsAreRight &= (send.flags() & ~Connection.NEED_REPLY) == Connection.VERSION;
            try {
                connection.sendBytes(bytes, send.fds().stream().map(this::fd).toList());
                return answers(Duration.ZERO, false);
            } catch (IOException e) {
                return ended(e);
            }
        }

        private Fd fd(Step.Attachment kind) {
            return switch (kind) {
                case MEMORY -> ram.file().fd();
                case KICK -> kicks.getFirst().fd();
                case CALL -> call.fd();
                case PAGE -> page.fd();
                case EMPTY -> empty.fd();
                case PIPE -> pipe;
                case SOCKET -> socket;
            };
        }

        private Optional<Finding> settle() throws IOException {
            if (!open || !inStep) {
                return Optional.empty();
            }
            try {
                connection.send(Request.GET_FEATURES, Connection.VERSION, Payload.none(), List.of());
                asked.add(Request.GET_FEATURES);
                return answers(limits.answer(), true);
            } catch (SocketTimeoutException e) {
                return Optional.of(new Finding(
                        Finding.HANG,
                        "GET_FEATURES was not answered within "
                                + limits.answer().toMillis() + " ms"));
            } catch (IOException e) {
                return ended(e);
            }
        }

        /** Reads the messages that have come; if the answer to GET_FEATURES is awaited, reads up to it. */
        private Optional<Finding> answers(Duration wait, boolean toFeatures) throws IOException {
            while (toFeatures || connection.awaitReadable(wait)) {
                Reply reply = connection.receive();
                reply.fds().forEach(Fd::close);
                if (inStep && flagsAreRight && (!isReply(reply) || !asked.contains(reply.request()))) {
                    return Optional.of(new Finding(
                            Finding.WRONG_ANSWER,
                            "the back-end sent a message that is not a reply: "
                                    + MessageText.requestName(reply.request()) + ", flags 0x"
                                    + Integer.toHexString(reply.flags())));
                }
                if (toFeatures && reply.request() == Request.GET_FEATURES) {
                    return Optional.empty();
                }
            }
            return Optional.empty();
        }

        /** Decides by version and reply flag, as front-ends do. */
        private static boolean isReply(Reply reply) {
            return (reply.flags() & Reply.REPLY_FLAGS) == Reply.REPLY_FLAGS;
        }

        /** A front-end that sends invalid messages must expect that the back-end closes the connection. */
        private Optional<Finding> ended(IOException e) throws IOException {
            if (!Closing.is(e)) {
                throw e;
            }
            open = false;
            return Optional.empty();
        }

        @Override
        public void close() {
            connection.close();
            kicks.forEach(EventFd::close);
            call.close();
            page.close();
            empty.close();
            pipe.close();
            socket.close();
            ram.close();
        }
    }
}
