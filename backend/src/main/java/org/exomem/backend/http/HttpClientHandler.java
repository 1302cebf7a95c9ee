package org.exomem.backend.http;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
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
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.concurrent.ScheduledFuture;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client. Its requests are answered one after the other; while one is being answered, no more is read. A client whose
 * request is not complete by {@link HttpLimits#request} loses the connection, even if it sends a byte from time to time. On
 * the server's thread.
 */
// A client that can't be written to closes its channel. No single write is waited for.
@SuppressWarnings("FutureReturnValueIgnored")
final class HttpClientHandler extends SimpleChannelInboundHandler<FullHttpRequest> {
    private static final Logger LOG = LoggerFactory.getLogger(HttpClientHandler.class);
    /** More than the number of the shortest requests that one read can bring. */
    private static final int MOST_WAITING = 256;
    /** Nothing from other hosts, scripts only from this server's files, and no frames. */
    private static final String POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
            + " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private final Map<String, HttpRoute> routes;
    private final boolean tls;
    private final HttpLimits limits;
    private final Queue<Question> waiting = new ArrayDeque<>();
    private boolean answering;
    /** Set while a request is awaited that is not complete. */
    private @Nullable ScheduledFuture<?> deadline;
    /** Set for a connection that takes no other request any more. */
    private @Nullable HttpStream stream;

    /**
     * A request, as far as it could be parsed.
     *
     * @param keepAlive whether the client may send another request on this connection
     * @param allowed by {@link HostRule}
     * @param request null if it is not valid HTTP
     */
    private record Question(
            HttpMethod method,
            boolean keepAlive,
            boolean allowed,
            @Nullable HttpRequest request) {}

    /** @param tls whether the client speaks TLS */
    HttpClientHandler(Map<String, HttpRoute> routes, boolean tls, HttpLimits limits) {
        this.routes = routes;
        this.tls = tls;
        this.limits = limits;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) throws Exception {
        awaitRequest(ctx);
        super.channelActive(ctx);
    }

    private void awaitRequest(ChannelHandlerContext ctx) {
        endDeadline();
        deadline = ctx.executor().schedule(() -> ctx.close(), limits.request().toNanos(), TimeUnit.NANOSECONDS);
    }

    private void endDeadline() {
        ScheduledFuture<?> running = deadline;
        if (running != null) {
            running.cancel(false);
        }
        deadline = null;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest request) {
        if (stream != null || waiting.size() >= MOST_WAITING) {
            ctx.close();
            return;
        }
        endDeadline();
        boolean understood = request.decoderResult().isSuccess();
        waiting.add(new Question(
                request.method(),
                understood
                        && HttpUtil.isKeepAlive(request)
                        && request.protocolVersion().equals(HttpVersion.HTTP_1_1),
                understood && HostRule.allows(request.protocolVersion(), request.headers(), tls),
                understood ? read(request) : null));
        answerNext(ctx);
    }

    private static @Nullable HttpRequest read(FullHttpRequest request) {
        try {
            return HttpRequest.of(
                    request.method().name(), request.uri(), request.headers(), ByteBufUtil.getBytes(request.content()));
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private void answerNext(ChannelHandlerContext ctx) {
        Question question = answering ? null : waiting.poll();
        boolean mayAsk = question == null && !answering;
        if (mayAsk) {
            awaitRequest(ctx);
        }
        ctx.channel().config().setAutoRead(mayAsk);
        if (question == null) {
            return;
        }
        answering = true;
        answer(question).whenComplete((answer, failure) -> {
            if (failure != null) {
                LOG.warn("could not answer {} {}", question.method(), path(question), failure);
            }
            HttpAnswer told =
                    failure == null ? answer : HttpAnswer.text(500, "internal error of exomem; see its log\n");
            ctx.executor().execute(() -> send(ctx, question, told));
        });
    }

    private static String path(Question question) {
        return question.request() == null ? "" : question.request().path();
    }

    private CompletableFuture<HttpAnswer> answer(Question question) {
        HttpRequest request = question.request();
        if (request == null) {
            return HttpAnswer.text(HttpAnswer.BAD_REQUEST, "bad request: not a supported HTTP request\n")
                    .now();
        }
        if (!question.allowed()) {
            return HttpAnswer.text(HttpAnswer.FORBIDDEN, HostRule.REFUSAL).now();
        }
        HttpRoute route = routes.get(request.path());
        if (route == null) {
            return HttpAnswer.text(
                            404,
                            "not found; there is "
                                    + String.join(
                                            ", ",
                                            routes.keySet().stream().sorted().toList()) + "\n")
                    .now();
        }
        if (!route.takes(request.method())) {
            return HttpAnswer.text(405, "method not allowed; use " + route.methods() + "\n")
                    .now();
        }
        if (!SiteRule.allows(request.headers(), route)) {
            return HttpAnswer.text(HttpAnswer.FORBIDDEN, SiteRule.REFUSAL).now();
        }
        try {
            return route.page().answer(request);
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private void send(ChannelHandlerContext ctx, Question question, HttpAnswer answer) {
        switch (answer) {
            case HttpAnswer.Whole whole -> send(ctx, question, whole);
            case HttpAnswer.Lasting lasting -> begin(ctx, question, lasting);
        }
    }

    private void send(ChannelHandlerContext ctx, Question question, HttpAnswer.Whole told) {
        boolean head = question.method().equals(HttpMethod.HEAD);
        ByteBuf body = head ? Unpooled.EMPTY_BUFFER : Unpooled.wrappedBuffer(told.body());
        FullHttpResponse response =
                new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(told.status()), body);
        guard(response.headers(), told.type()).set(HttpHeaderNames.CONTENT_LENGTH, told.body().length);
        HttpRoute route = routes.get(path(question));
        if (told.status() == HttpResponseStatus.METHOD_NOT_ALLOWED.code() && route != null) {
            response.headers().set(HttpHeaderNames.ALLOW, route.methods());
        }
        if (!question.keepAlive()) {
            response.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
            ctx.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
            return;
        }
        // The next request only when the client has received this answer: a client that does not read gets no more.
        ctx.writeAndFlush(response).addListener(written -> {
            answering = false;
            if (written.isSuccess()) {
                answerNext(ctx);
            } else {
                ctx.close();
            }
        });
    }

    private void begin(ChannelHandlerContext ctx, Question question, HttpAnswer.Lasting told) {
        boolean head = question.method().equals(HttpMethod.HEAD);
        if (head || !ctx.channel().isActive()) {
            told.stream().gone();
            if (head) {
                send(ctx, question, new HttpAnswer.Whole(HttpAnswer.OK, told.type(), new byte[0]));
            }
            return;
        }
        stream = told.stream();
        waiting.clear();
        HttpResponse response = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
        guard(response.headers(), told.type());
        HttpUtil.setTransferEncodingChunked(response, true);
        ctx.writeAndFlush(response);
        ctx.channel().config().setAutoRead(true);
        told.stream().begin(new StreamClient(ctx.channel(), limits.end()));
    }

    private record StreamClient(Channel channel, Duration limit) implements HttpStream.Client {
        @Override
        public boolean send(byte[] some) {
            if (!channel.isActive() || !channel.isWritable()) {
                return false;
            }
            channel.writeAndFlush(new DefaultHttpContent(Unpooled.wrappedBuffer(some)));
            return true;
        }

        @Override
        public void end() {
            if (channel.isActive() && !channel.eventLoop().isShuttingDown()) {
                channel.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT).addListener(ChannelFutureListener.CLOSE);
                closeSoon();
            }
        }

        /** A client that has stopped reading never receives the last chunk. */
        private void closeSoon() {
            try {
                channel.eventLoop().schedule(() -> channel.close(), limit.toNanos(), TimeUnit.NANOSECONDS);
            } catch (RejectedExecutionException e) {
                LOG.debug("the server has ended, and has closed this connection");
            }
        }
    }

    private static HttpHeaders guard(HttpHeaders headers, String type) {
        return headers.set(HttpHeaderNames.CONTENT_TYPE, type)
                .set(HttpHeaderNames.CACHE_CONTROL, HttpHeaderValues.NO_STORE)
                .set("content-security-policy", POLICY)
                .set("x-content-type-options", "nosniff")
                .set("referrer-policy", "no-referrer")
                .set("cross-origin-opener-policy", "same-origin")
                .set("cross-origin-resource-policy", "same-origin");
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) throws Exception {
        endDeadline();
        waiting.clear();
        HttpStream open = stream;
        if (open != null) {
            open.gone();
        }
        super.channelInactive(ctx);
    }
}
