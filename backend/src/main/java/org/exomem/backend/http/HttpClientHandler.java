package org.exomem.backend.http;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import java.util.ArrayDeque;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One client. Its requests are answered one after the other; while one is, nothing more is read. */
// A client that can't be written to closes its channel; no single write is waited for.
@SuppressWarnings("FutureReturnValueIgnored")
final class HttpClientHandler extends SimpleChannelInboundHandler<FullHttpRequest> {
    private static final Logger LOG = LoggerFactory.getLogger(HttpClientHandler.class);
    /** What one read may bring, of the shortest requests, and more. */
    private static final int MOST_WAITING = 256;

    private final Map<String, HttpPage> pages;
    private final Queue<Question> waiting = new ArrayDeque<>();
    private boolean answering;

    /** @param keepAlive whether the client may ask again on this connection */
    private record Question(HttpMethod method, String path, String accept, boolean keepAlive, boolean bad) {}

    HttpClientHandler(Map<String, HttpPage> pages) {
        this.pages = pages;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest request) {
        if (waiting.size() >= MOST_WAITING) {
            ctx.close();
            return;
        }
        String accept = request.headers().get(HttpHeaderNames.ACCEPT);
        waiting.add(new Question(
                request.method(),
                path(request.uri()),
                accept == null ? "" : accept,
                HttpUtil.isKeepAlive(request)
                        && request.protocolVersion().equals(HttpVersion.HTTP_1_1)
                        && request.decoderResult().isSuccess(),
                request.decoderResult().isFailure()));
        answerNext(ctx);
    }

    private static String path(String uri) {
        int end = uri.indexOf('?');
        return end < 0 ? uri : uri.substring(0, end);
    }

    private void answerNext(ChannelHandlerContext ctx) {
        Question question = answering ? null : waiting.poll();
        ctx.channel().config().setAutoRead(question == null && !answering);
        if (question == null) {
            return;
        }
        answering = true;
        answer(question).whenComplete((answer, failure) -> {
            if (failure != null) {
                LOG.warn("no answer to {} {}", question.method(), question.path(), failure);
            }
            HttpAnswer told = failure == null ? answer : HttpAnswer.text(500, "a fault of exomem; its log says more\n");
            ctx.executor().execute(() -> send(ctx, question, told));
        });
    }

    private CompletableFuture<HttpAnswer> answer(Question question) {
        if (question.bad()) {
            return done(HttpAnswer.text(400, "this is no request of HTTP that is understood here\n"));
        }
        HttpPage page = pages.get(question.path());
        if (page == null) {
            return done(HttpAnswer.text(
                    404,
                    "there is nothing here; there is "
                            + String.join(", ", pages.keySet().stream().sorted().toList()) + "\n"));
        }
        if (!question.method().equals(HttpMethod.GET) && !question.method().equals(HttpMethod.HEAD)) {
            return done(HttpAnswer.text(405, "nothing can be changed here; GET and HEAD are understood\n"));
        }
        try {
            return page.now(question.accept());
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private static CompletableFuture<HttpAnswer> done(HttpAnswer answer) {
        return CompletableFuture.completedFuture(answer);
    }

    private void send(ChannelHandlerContext ctx, Question question, @Nullable HttpAnswer answer) {
        HttpAnswer told = answer == null ? HttpAnswer.text(500, "") : answer;
        boolean head = question.method().equals(HttpMethod.HEAD);
        ByteBuf body = head ? Unpooled.EMPTY_BUFFER : Unpooled.wrappedBuffer(told.body());
        FullHttpResponse response =
                new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(told.status()), body);
        response.headers()
                .set(HttpHeaderNames.CONTENT_TYPE, told.type())
                .set(HttpHeaderNames.CONTENT_LENGTH, told.body().length)
                .set(HttpHeaderNames.CACHE_CONTROL, HttpHeaderValues.NO_STORE)
                .set("x-content-type-options", "nosniff");
        if (told.status() == HttpResponseStatus.METHOD_NOT_ALLOWED.code()) {
            response.headers().set(HttpHeaderNames.ALLOW, "GET, HEAD");
        }
        if (!question.keepAlive()) {
            response.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
            ctx.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
            return;
        }
        // The next one when the client has taken this one: who does not read gets no more.
        ctx.writeAndFlush(response).addListener(written -> {
            answering = false;
            if (written.isSuccess()) {
                answerNext(ctx);
            } else {
                ctx.close();
            }
        });
    }
}
