package org.exomem.backend.ui;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import org.exomem.backend.config.HttpAddress;
import org.exomem.backend.config.HttpConfig;
import org.exomem.backend.http.HttpAnswer;
import org.exomem.backend.http.HttpPage;
import org.exomem.backend.http.HttpRequest;
import org.exomem.backend.http.HttpRoute;
import org.exomem.backend.http.HttpServer;
import org.exomem.backend.map.MapRange;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.JsonException;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.qmp.QmpException;

/**
 * Serves the page of {@code exomem ui}. Each open page has a thread, which sends requests to the control socket. Safe for
 * use by several threads.
 *
 * <pre>
 * GET  /  /ui.css  /ui.js  /icon.svg        the page
 * GET  /access                              {"changes": whether anything may be changed with a token}
 * GET  /events?vm=&from=&length=&cells=     server-sent events, see {@link PictureStream}
 * POST /command {"execute", "arguments"}    one of the commands that change something, with a token
 * </pre>
 */
public final class UiServer implements AutoCloseable {
    /** The most open pages: each has a thread and a control connection. */
    static final int MOST_STREAMS = 16;

    private static final Set<String> CHANGES = Set.of("balloon", "mem-resize", "free-pages", "migrate-cancel");
    private static final int USUAL_CELLS = 1024;
    private static final String JSON = "application/json";

    private final Path control;
    private final Access access;
    private final Semaphore streams = new Semaphore(MOST_STREAMS);
    private final HttpServer server;

    private UiServer(HttpConfig config, Path control, Access access) throws IOException {
        this.control = control;
        this.access = access;
        Map<String, HttpRoute> routes = new HashMap<>();
        Assets.load().files().forEach((path, asset) -> {
            HttpPage page = request -> new HttpAnswer.Whole(HttpAnswer.OK, asset.type(), asset.content()).now();
            routes.put(path, path.equals("/") ? HttpRoute.linked(page) : HttpRoute.get(page));
        });
        routes.put(
                "/access",
                HttpRoute.get(request ->
                        whole(Json.object().put("changes", access.changes())).now()));
        routes.put("/events", HttpRoute.get(this::events));
        routes.put("/command", HttpRoute.post(this::command));
        server = HttpServer.start("page", config, routes);
    }

    /**
     * Begins to serve.
     *
     * @param control the control socket of the process that is shown
     * @param token allows changes; if empty, the page can't change anything
     * @throws IOException if an address can't be listened on, or the certificates can't be used
     * @throws IllegalArgumentException if other hosts could connect without a certificate
     */
    public static UiServer start(HttpConfig config, Path control, Optional<String> token) throws IOException {
        return new UiServer(config, control, new Access(token));
    }

    /** The addresses, with the actual ports. */
    public List<HttpAddress> addresses() {
        return server.addresses();
    }

    /** The most descriptors that it uses: each client may have a connection to the control socket in addition to its own. */
    public int descriptors() {
        return descriptors(addresses().size());
    }

    /** The most descriptors of a server with this number of addresses. */
    public static int descriptors(int addresses) {
        return HttpServer.descriptors(addresses) + HttpServer.MOST_CLIENTS;
    }

    /** Runs a task on the server's thread when it gets to it. Any thread may call this. */
    public void whenLoopIsFree(Runnable task) {
        server.whenLoopIsFree(task);
    }

    private static HttpAnswer whole(JsonNode content) {
        return new HttpAnswer.Whole(HttpAnswer.OK, JSON, Json.line(content));
    }

    private CompletableFuture<HttpAnswer> events(HttpRequest request) {
        Optional<PictureStream.View> view;
        try {
            view = view(request);
        } catch (IllegalArgumentException e) {
            return HttpAnswer.text(HttpAnswer.BAD_REQUEST, "not a number: " + e.getMessage() + "\n")
                    .now();
        }
        if (!streams.tryAcquire()) {
            return HttpAnswer.text(HttpAnswer.UNAVAILABLE, "too many open pages\n")
                    .now();
        }
        return new HttpAnswer.Lasting("text/event-stream", new PageStream(control, view, streams::release)).now();
    }

    private static Optional<PictureStream.View> view(HttpRequest request) {
        return request.parameter("vm")
                .map(name -> new PictureStream.View(
                        name,
                        request.parameter("from").map(Long::valueOf),
                        request.parameter("length").map(Long::valueOf),
                        Math.clamp(
                                request.parameter("cells").map(Integer::valueOf).orElse(USUAL_CELLS),
                                1,
                                MapRange.MOST_CELLS)));
    }

    private CompletableFuture<HttpAnswer> command(HttpRequest request) {
        if (!access.mayChange(request)) {
            return HttpAnswer.text(HttpAnswer.FORBIDDEN, "changes require the token\n")
                    .now();
        }
        JsonNode command;
        try {
            command = Json.parse(request.text());
        } catch (JsonException e) {
            return HttpAnswer.text(HttpAnswer.BAD_REQUEST, "not JSON\n").now();
        }
        if (!CHANGES.contains(command.path("execute").asText())
                || !(command.path("arguments") instanceof ObjectNode arguments)) {
            return HttpAnswer.text(HttpAnswer.FORBIDDEN, "this page may not use this command\n")
                    .now();
        }
        // On another thread, as the serving process may be slow, and the server's thread has other browsers. No virtual
        // thread, as it waits in the kernel.
        return CompletableFuture.supplyAsync(
                () -> whole(execute(command.path("execute").asText(), arguments)),
                task -> Thread.ofPlatform().daemon().name("page-command").start(task));
    }

    private ObjectNode execute(String command, ObjectNode arguments) {
        try (QmpClient client = QmpClient.connectToOwn(control)) {
            return Json.object().set("return", client.execute(command, arguments));
        } catch (QmpException e) {
            return Json.object().put("error", e.getMessage());
        } catch (IOException e) {
            return Json.object().put("error", "the control socket " + control + ": " + e.getMessage());
        }
    }

    /** Ends all connections. */
    @Override
    public void close() {
        server.close();
    }
}
