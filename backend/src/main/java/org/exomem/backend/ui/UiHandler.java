package org.exomem.backend.ui;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.QueryStringDecoder;
import io.netty.handler.timeout.ReadTimeoutHandler;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.exomem.backend.map.MapRange;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.JsonException;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.qmp.QmpException;
import org.jspecify.annotations.Nullable;

/**
 * One browser's connection.
 *
 * <pre>
 * GET  /  /ui.css  /ui.js  /icon.svg        the page
 * GET  /access                              {"changes": whether anything may be changed with a token}
 * GET  /events?vm=&from=&length=&cells=     server-sent events, see {@link PictureStream}
 * POST /command {"execute", "arguments"}    one of the commands that change something, with a token
 * </pre>
 */
final class UiHandler extends SimpleChannelInboundHandler<FullHttpRequest> {
    /** Nothing of another host, no script but our file, and in no frame. */
    private static final String POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
            + " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private static final Set<String> CHANGES = Set.of("balloon", "mem-resize", "free-pages", "migrate-cancel");
    private static final int USUAL_CELLS = 1024;
    /** Each has a thread and a control connection. */
    private static final int MOST_STREAMS = 16;

    private final Path control;
    private final Access access;
    private final Assets assets;
    private final AtomicInteger streams;
    private @Nullable PictureStream stream;

    /** @param streams how many pages of all connections are told of events */
    UiHandler(Path control, Access access, Assets assets, AtomicInteger streams) {
        this.streams = streams;
        this.control = control;
        this.access = access;
        this.assets = assets;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
        if (stream != null) {
            // A connection that events are sent on takes no other request.
            context.close();
            return;
        }
        QueryStringDecoder uri;
        try {
            uri = new QueryStringDecoder(request.uri());
        } catch (IllegalArgumentException e) {
            answer(context, request, HttpResponseStatus.BAD_REQUEST, "text/plain", "what a path");
            return;
        }
        if (!request.decoderResult().isSuccess()) {
            answer(context, request, HttpResponseStatus.BAD_REQUEST, "text/plain", "not HTTP");
        } else if (!access.isForThisPage(request.headers())) {
            answer(context, request, HttpResponseStatus.FORBIDDEN, "text/plain", "ask by the address, not by a name");
        } else if (request.method().equals(HttpMethod.POST) && uri.path().equals("/command")) {
            command(context, request);
        } else if (!request.method().equals(HttpMethod.GET)) {
            answer(context, request, HttpResponseStatus.METHOD_NOT_ALLOWED, "text/plain", "GET only");
        } else if (uri.path().equals("/events")) {
            events(context, request, uri);
        } else if (uri.path().equals("/access")) {
            ObjectNode changes = Json.object().put("changes", access.changes());
            answer(context, request, HttpResponseStatus.OK, "application/json", Json.text(changes));
        } else {
            assets.at(uri.path())
                    .ifPresentOrElse(
                            asset -> answer(context, request, HttpResponseStatus.OK, asset.type(), asset.content()),
                            () -> answer(context, request, HttpResponseStatus.NOT_FOUND, "text/plain", "not here"));
        }
    }

    private void events(ChannelHandlerContext context, FullHttpRequest request, QueryStringDecoder uri) {
        if (!access.maySee(request.headers())) {
            answer(context, request, HttpResponseStatus.UNAUTHORIZED, "text/plain", "this needs the token");
            return;
        }
        Optional<PictureStream.View> view;
        try {
            view = view(uri);
        } catch (IllegalArgumentException e) {
            answer(context, request, HttpResponseStatus.BAD_REQUEST, "text/plain", String.valueOf(e.getMessage()));
            return;
        }
        if (streams.incrementAndGet() > MOST_STREAMS) {
            streams.decrementAndGet();
            answer(context, request, HttpResponseStatus.SERVICE_UNAVAILABLE, "text/plain", "too many pages are open");
            return;
        }
        HttpResponse response = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
        guard(response.headers()).set(HttpHeaderNames.CONTENT_TYPE, "text/event-stream");
        HttpUtil.setTransferEncodingChunked(response, true);
        context.writeAndFlush(response);
        Channel channel = context.channel();
        PictureStream picture = new PictureStream(control, view, message -> send(channel, message));
        stream = picture;
        // It ends by itself, and its browser asks for nothing meanwhile.
        if (context.pipeline().get(ReadTimeoutHandler.class) != null) {
            context.pipeline().remove(ReadTimeoutHandler.class);
        }
        Thread.ofPlatform().daemon().name("ui-page").start(() -> {
            try {
                picture.run();
            } finally {
                streams.decrementAndGet();
                channel.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT).addListener(ChannelFutureListener.CLOSE);
            }
        });
    }

    /** A browser that does not read any more ends its stream, and asks again when it does. */
    private static boolean send(Channel channel, byte[] message) {
        if (!channel.isActive() || !channel.isWritable()) {
            return false;
        }
        channel.writeAndFlush(new DefaultHttpContent(Unpooled.wrappedBuffer(message)));
        return true;
    }

    private static Optional<PictureStream.View> view(QueryStringDecoder uri) {
        Optional<String> vm = parameter(uri, "vm");
        return vm.map(name -> new PictureStream.View(
                name,
                parameter(uri, "from").map(Long::valueOf),
                parameter(uri, "length").map(Long::valueOf),
                Math.clamp(parameter(uri, "cells").map(Integer::valueOf).orElse(USUAL_CELLS), 1, MapRange.MOST_CELLS)));
    }

    private static Optional<String> parameter(QueryStringDecoder uri, String name) {
        List<String> values = uri.parameters().getOrDefault(name, List.of());
        return values.isEmpty() || values.getFirst().isEmpty() ? Optional.empty() : Optional.of(values.getFirst());
    }

    private void command(ChannelHandlerContext context, FullHttpRequest request) {
        if (!access.mayChange(request.headers())) {
            answer(context, request, HttpResponseStatus.FORBIDDEN, "text/plain", "changes need the token");
            return;
        }
        JsonNode command;
        try {
            command = Json.parse(request.content().toString(StandardCharsets.UTF_8));
        } catch (JsonException e) {
            answer(context, request, HttpResponseStatus.BAD_REQUEST, "text/plain", "not JSON");
            return;
        }
        if (!CHANGES.contains(command.path("execute").asText()) || !(command.path("arguments") instanceof ObjectNode)) {
            answer(context, request, HttpResponseStatus.FORBIDDEN, "text/plain", "not a command of this page");
            return;
        }
        request.retain();
        // The process that serves may take its time, and this thread has other browsers.
        Thread.ofVirtual().start(() -> {
            ObjectNode answer = execute(command);
            context.executor().execute(() -> {
                answer(context, request, HttpResponseStatus.OK, "application/json", Json.text(answer));
                request.release();
            });
        });
    }

    private ObjectNode execute(JsonNode command) {
        try (QmpClient client = QmpClient.connectToOwn(control)) {
            JsonNode answer = client.execute(command.path("execute").asText(), (ObjectNode) command.path("arguments"));
            return Json.object().set("return", answer);
        } catch (QmpException e) {
            return Json.object().put("error", e.getMessage());
        } catch (IOException e) {
            return Json.object().put("error", "the control socket " + control + ": " + e.getMessage());
        }
    }

    private static HttpHeaders guard(HttpHeaders headers) {
        return headers.set("content-security-policy", POLICY)
                .set("x-content-type-options", "nosniff")
                .set("referrer-policy", "no-referrer")
                .set("cross-origin-opener-policy", "same-origin")
                .set("cross-origin-resource-policy", "same-origin")
                .set(HttpHeaderNames.CACHE_CONTROL, "no-store");
    }

    private static void answer(
            ChannelHandlerContext context, FullHttpRequest to, HttpResponseStatus status, String type, String text) {
        answer(context, to, status, type, text.getBytes(StandardCharsets.UTF_8));
    }

    private static void answer(
            ChannelHandlerContext context, FullHttpRequest to, HttpResponseStatus status, String type, byte[] content) {
        FullHttpResponse response =
                new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status, Unpooled.wrappedBuffer(content));
        guard(response.headers()).set(HttpHeaderNames.CONTENT_TYPE, type);
        HttpUtil.setContentLength(response, content.length);
        boolean keep = HttpUtil.isKeepAlive(to) && to.decoderResult().isSuccess();
        HttpUtil.setKeepAlive(response, keep);
        var written = context.writeAndFlush(response);
        if (!keep) {
            written.addListener(ChannelFutureListener.CLOSE);
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) throws Exception {
        PictureStream open = stream;
        if (open != null) {
            open.close();
        }
        super.channelInactive(context);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        context.close();
    }
}
