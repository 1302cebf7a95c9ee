package org.exomem.backend.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.util.ReferenceCountUtil;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.JsonException;
import org.exomem.backend.qmp.JsonFrames;
import org.exomem.backend.qmp.QmpException;
import org.exomem.backend.qmp.WrittenJson;
import org.exomem.backend.vm.VirtualMachine;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client of the control socket. Its commands are executed one after the other, in their order (CTL-4). While answers or
 * events pile up because the client does not read, no more commands are read from it, and events are left out (CTL-6). On
 * the control socket's loop.
 */
// A client that can't be written to closes its channel. No single write is waited for.
@SuppressWarnings("FutureReturnValueIgnored")
final class ControlConnection extends ChannelInboundHandlerAdapter implements Command.Client {
    /** The most bytes of one command. */
    static final int MAX_COMMAND = 64 << 10;

    /** The most commands that wait while one is executed. With more, reading stops. */
    private static final int MAX_WAITING = 64;

    private static final byte[] BEGIN_RETURN = "{\"return\":".getBytes(StandardCharsets.UTF_8);

    private static final Logger LOG = LoggerFactory.getLogger(ControlConnection.class);

    private final Commands commands;
    private final JsonNode greeting;
    private final JsonFrames frames = new JsonFrames(MAX_COMMAND);
    private final Queue<JsonFrames.Frame> waiting = new ArrayDeque<>();
    private @Nullable ChannelHandlerContext context;
    private @Nullable PageFollower follower;
    private boolean negotiated;
    private boolean running;
    /** True if the process ends after the answer to the present command. */
    private boolean quits;
    /** True if the client has closed its sending side. It still gets its answers. */
    private boolean ended;

    ControlConnection(Commands commands, JsonNode greeting) {
        this.commands = commands;
        this.greeting = greeting;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        context = ctx;
        send(ctx, greeting);
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        try {
            frames.feed(((ByteBuf) message).nioBuffer(), waiting::add);
        } finally {
            ReferenceCountUtil.release(message);
        }
        runWaiting(ctx);
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        runWaiting(ctx);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof ChannelInputShutdownEvent) {
            ended = true;
            runWaiting(ctx);
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        waiting.clear();
        if (follower != null) {
            follower.close();
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        LOG.debug("a client of the control socket disconnected: {}", cause.toString());
        ctx.close();
    }

    /** Disconnects the client. On the control socket's loop. */
    void close() {
        ChannelHandlerContext ctx = context;
        if (ctx != null) {
            ctx.close();
        }
    }

    /** Sends an event, if the client has negotiated and keeps up with reading. On the control socket's loop. */
    void event(JsonNode event) {
        ChannelHandlerContext ctx = context;
        if (ctx != null && negotiated && ctx.channel().isWritable()) {
            send(ctx, event);
        }
    }

    private void runWaiting(ChannelHandlerContext ctx) {
        while (!running && ctx.channel().isActive() && ctx.channel().isWritable() && !waiting.isEmpty()) {
            run(ctx, waiting.remove());
        }
        // CTL-12: a client that has closed its sending side gets its answers first.
        if (ended && !running && waiting.isEmpty()) {
            ctx.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
            return;
        }
        ctx.channel()
                .config()
                .setAutoRead(waiting.size() < MAX_WAITING && ctx.channel().isWritable());
    }

    private void run(ChannelHandlerContext ctx, JsonFrames.Frame frame) {
        switch (frame) {
            case JsonFrames.Frame.Value value -> run(ctx, value.json());
            // CTL-5: one error, after which the client may go on, except after a command that is too long.
            case JsonFrames.Frame.Garbage garbage -> sendError(ctx, null, QmpException.generic(garbage.what()));
            case JsonFrames.Frame.TooLong tooLong ->
                sendError(
                                ctx,
                                null,
                                QmpException.generic("a command has at most " + tooLong.limit()
                                        + " bytes; the connection is closed"))
                        .addListener(ChannelFutureListener.CLOSE);
        }
    }

    private void run(ChannelHandlerContext ctx, String json) {
        JsonNode id = null;
        ObjectNode command;
        CompletableFuture<JsonNode> answer;
        try {
            command = object(json);
            id = command.get("id");
            answer = execute(command);
        } catch (RuntimeException e) {
            sendError(ctx, id, refusal(e));
            return;
        }
        running = true;
        JsonNode replyTo = id;
        answer.whenComplete((result, failure) -> ctx.executor().execute(() -> {
            running = false;
            if (failure == null) {
                ChannelFuture sent = sendResult(ctx, replyTo, result);
                if (quits) {
                    sent.addListener(done -> commands.quitNow());
                }
            } else {
                sendError(ctx, replyTo, refusal(failure));
            }
            runWaiting(ctx);
        }));
    }

    private static ObjectNode object(String json) {
        try {
            if (Json.parse(json) instanceof ObjectNode object) {
                return object;
            }
            throw QmpException.generic("a command must be a JSON object");
        } catch (JsonException e) {
            throw QmpException.generic("not JSON: " + e.getMessage());
        }
    }

    private CompletableFuture<JsonNode> execute(ObjectNode command) {
        // CTL-2
        for (Iterator<String> keys = command.fieldNames(); keys.hasNext(); ) {
            String key = keys.next();
            if (!key.equals("execute") && !key.equals("arguments") && !key.equals("id")) {
                throw QmpException.generic("\"" + key + "\" is not a member of a command");
            }
        }
        JsonNode name = command.get("execute");
        if (name == null || !name.isTextual()) {
            throw QmpException.generic("a command requires \"execute\" with the name of a command");
        }
        JsonNode arguments = command.get("arguments");
        if (arguments == null) {
            arguments = Json.object();
        }
        if (!(arguments instanceof ObjectNode object)) {
            throw QmpException.generic("\"arguments\" must be an object");
        }
        return name.textValue().equals(Commands.NEGOTIATE) ? negotiate(object) : execute(name.textValue(), object);
    }

    private CompletableFuture<JsonNode> execute(String name, ObjectNode arguments) {
        if (!negotiated) {
            throw QmpException.commandNotFound(
                    "\"" + name + "\" requires capabilities negotiation: send qmp_capabilities first");
        }
        return commands.run(name, arguments, this);
    }

    @Override
    public PageFollower follower() {
        PageFollower follows = follower;
        if (follows == null) {
            ChannelHandlerContext ctx = Objects.requireNonNull(context);
            follows = new PageFollower(ctx, event -> send(ctx, event));
            follower = follows;
        }
        return follows;
    }

    @Override
    public void quitAfterAnswer() {
        quits = true;
    }

    private CompletableFuture<JsonNode> negotiate(ObjectNode arguments) {
        if (negotiated) {
            throw QmpException.commandNotFound("capabilities negotiation is already complete");
        }
        // CTL-1: no capabilities are offered.
        JsonNode enable = arguments.remove("enable");
        if (enable != null && !(enable.isArray() && enable.isEmpty())) {
            throw QmpException.generic("\"enable\" must be an empty list: no capabilities are offered");
        }
        Command.NOTHING.checkArguments(arguments);
        negotiated = true;
        return CompletableFuture.completedFuture(Json.object());
    }

    private static QmpException refusal(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        return switch (cause) {
            case QmpException refused -> refused;
            case VirtualMachine.NotActive e -> QmpException.deviceNotActive(String.valueOf(e.getMessage()));
            case VirtualMachine.NotFound e -> QmpException.deviceNotFound(String.valueOf(e.getMessage()));
            case VirtualMachine.Refused e -> QmpException.generic(String.valueOf(e.getMessage()));
            case VirtualMachine.NotAnswering e -> QmpException.generic(String.valueOf(e.getMessage()));
            default -> {
                LOG.error("a command of the control socket failed", cause);
                yield QmpException.generic("internal error of exomem: " + cause);
            }
        };
    }

    private static ChannelFuture sendError(ChannelHandlerContext ctx, @Nullable JsonNode id, QmpException e) {
        return send(ctx, withId(error(e), id));
    }

    /** An error in the format for clients. */
    static ObjectNode error(QmpException e) {
        ObjectNode reply = Json.object();
        reply.putObject("error").put("class", e.errorClass()).put("desc", String.valueOf(e.getMessage()));
        return reply;
    }

    private static ChannelFuture sendResult(ChannelHandlerContext ctx, @Nullable JsonNode id, JsonNode result) {
        if (result instanceof WrittenJson written) {
            String end = (id == null ? "" : ",\"id\":" + Json.text(id)) + "}\r\n";
            return ctx.writeAndFlush(
                    Unpooled.wrappedBuffer(BEGIN_RETURN, written.bytes(), end.getBytes(StandardCharsets.UTF_8)));
        }
        ObjectNode reply = Json.object();
        reply.set("return", result);
        return send(ctx, withId(reply, id));
    }

    private static ObjectNode withId(ObjectNode reply, @Nullable JsonNode id) {
        if (id != null) {
            reply.set("id", id);
        }
        return reply;
    }

    private static ChannelFuture send(ChannelHandlerContext ctx, JsonNode node) {
        return ctx.writeAndFlush(Unpooled.wrappedBuffer(Json.line(node)));
    }
}
