package org.exomem.backend.ui;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.qmp.QmpException;

/**
 * The stream of one page, as server-sent events: the changes of all VMs, and the changed cells of one VM's map. It has a
 * thread and a connection to the control socket of its own.
 *
 * <pre>
 * event: vms   [VMs that have changed, as {@link Overview}], and {"gone":NAME} for those that are served no more
 * event: map   {"vm","from","length","cell","regions","sum":{KIND: pages},"cells":TEXT or "changes":TEXT}, or {"vm","error"}
 * event: error {"error"} the process that serves is gone
 * </pre>
 */
final class PictureStream implements Runnable {
    /** The average rate, in bytes per second. */
    private static final long RATE = 20_000;

    private static final Duration PACE = Duration.ofSeconds(1);
    /** Maps may take this share of the time of the thread that draws them: one part in 10. */
    private static final int SHARE = 10;

    private final Path control;
    private final Optional<View> view;
    /** Sends a message; false if the page has closed. */
    private final Predicate<byte[]> send;

    private final CountDownLatch closed = new CountDownLatch(1);
    private final Map<String, JsonNode> told = new HashMap<>();
    private List<String> cells = List.of();
    private String shape = "";
    private long sentBytes;

    /** The wanted map, with the arguments of {@code query-memory-map}. */
    record View(String vm, Optional<Long> from, Optional<Long> length, int cells) {
        ObjectNode arguments() {
            ObjectNode arguments = Json.object().put("vm", vm).put("cells", cells);
            from.ifPresent(value -> arguments.put("from", value));
            length.ifPresent(value -> arguments.put("length", value));
            return arguments;
        }
    }

    PictureStream(Path control, Optional<View> view, Predicate<byte[]> send) {
        this.control = control;
        this.view = view;
        this.send = send;
    }

    /** Any thread may call this. */
    void close() {
        closed.countDown();
    }

    @Override
    public void run() {
        try (QmpClient client = QmpClient.connectToOwn(control)) {
            Overview overview = new Overview(client);
            boolean goesOn = true;
            while (goesOn) {
                long start = System.nanoTime();
                sentBytes = 0;
                goesOn = vms(overview.look());
                long drawing = System.nanoTime();
                if (view.isPresent()) {
                    goesOn &= map(client, view.get());
                }
                long now = System.nanoTime();
                long wait = Math.max(
                        PACE.toNanos() - (now - start),
                        Math.max(sentBytes * 1_000_000_000L / RATE, (now - drawing) * SHARE));
                goesOn &= !closed.await(wait, TimeUnit.NANOSECONDS);
            }
        } catch (IOException e) {
            tell("error", Json.object().put("error", "the control socket " + control + ": " + e.getMessage()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private boolean vms(List<ObjectNode> now) {
        ArrayNode news = Json.object().putArray("vms");
        Set<String> gone = new HashSet<>(told.keySet());
        for (ObjectNode vm : now) {
            String name = vm.path("name").asText();
            gone.remove(name);
            if (!vm.equals(told.put(name, vm))) {
                news.add(vm);
            }
        }
        gone.forEach(name -> {
            told.remove(name);
            news.addObject().put("gone", name);
        });
        // Sent even if it is empty, so that the page sees that the stream is alive.
        return tell("vms", news);
    }

    private boolean map(QmpClient client, View of) throws IOException {
        ObjectNode news = Json.object().put("vm", of.vm());
        try {
            JsonNode map = client.execute("query-memory-map", of.arguments());
            List<String> now = CellText.cells(map);
            ObjectNode sums = news.putObject("sum");
            map.path("pages").properties().forEach(kind -> {
                long sum = 0;
                for (JsonNode count : kind.getValue()) {
                    sum += count.asLong();
                }
                sums.put(kind.getKey(), sum * map.path("page").asLong());
            });
            String newShape = map.path("from") + " " + map.path("length") + " " + map.path("regions");
            String whole = CellText.whole(now);
            String changes = newShape.equals(shape) ? CellText.changes(cells, now) : whole;
            if (newShape.equals(shape) && changes.length() < whole.length()) {
                news.put("changes", changes);
            } else {
                for (String key : List.of("from", "length", "cell", "regions")) {
                    news.set(key, map.path(key));
                }
                news.put("count", now.size()).put("cells", whole);
            }
            shape = newShape;
            cells = now;
        } catch (QmpException e) {
            shape = "";
            news.put("error", e.getMessage());
        }
        return tell("map", news);
    }

    private boolean tell(String event, JsonNode data) {
        byte[] message = ("event: " + event + "\ndata: " + Json.text(data) + "\n\n").getBytes(StandardCharsets.UTF_8);
        sentBytes += message.length;
        return send.test(message);
    }
}
