package org.exomem.backend.metrics;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.prometheus.metrics.config.EscapingScheme;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.exomem.backend.config.HttpAddress;
import org.exomem.backend.config.HttpConfig;
import org.exomem.backend.health.Health;
import org.exomem.backend.health.HealthText;
import org.exomem.backend.health.Problem;
import org.exomem.backend.http.HttpAnswer;
import org.exomem.backend.http.HttpRequest;
import org.exomem.backend.http.HttpRoute;
import org.exomem.backend.http.HttpServer;
import org.exomem.backend.migrate.MigrationState;
import org.exomem.backend.pager.PagedState;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.vm.VmTable;
import org.jspecify.annotations.Nullable;

/**
 * Serves {@code /metrics} and {@code /healthz}. VMs get the same requests as from the control socket's commands, with the
 * same limit. Their answers are formatted on a thread of its own, one scrape at a time: concurrent clients get the same
 * scrape. Safe for use by several threads.
 */
public final class MetricsServer implements AutoCloseable {
    /** The initial buffer for a scrape, in bytes. */
    private static final int ROOM = 1 << 14;

    private final Process process;
    private final LoopDelays delays;
    private final ProcessFigures own = new ProcessFigures();
    private final PrometheusTextFormatWriter writer = PrometheusTextFormatWriter.create();
    private final ExecutorService worker = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("metrics").factory());
    private final HttpServer server;
    private @Nullable CompletableFuture<HttpAnswer> underWay;
    /** The length of the last scrape. */
    private int room = ROOM;

    /**
     * The measured process.
     *
     * @param version of exomem
     * @param migrations returns the present or last migration of each VM
     * @param paged returns the VMs whose memory comes on demand
     * @param loops the process's own event loops, by name: each takes a task and runs it
     */
    public record Process(
            String version,
            VmTable vms,
            Supplier<List<MigrationState>> migrations,
            Supplier<List<PagedState>> paged,
            Health health,
            EventCounts counts,
            Map<String, Consumer<Runnable>> loops) {}

    /**
     * Begins to serve.
     *
     * @throws IOException if an address can't be listened on, or the certificates can't be used
     */
    public MetricsServer(HttpConfig config, Process process) throws IOException {
        this.process = process;
        this.server = HttpServer.start(
                "metrics",
                config,
                Map.of("/metrics", HttpRoute.linked(request -> scrape()), "/healthz", HttpRoute.linked(this::health)));
        Map<String, Consumer<Runnable>> loops = new HashMap<>(process.loops());
        loops.put("http", server::whenLoopIsFree);
        this.delays = new LoopDelays(process.vms(), loops);
        delays.start();
    }

    /** The addresses, with the actual ports. */
    public List<HttpAddress> addresses() {
        return server.addresses();
    }

    /** The most descriptors that it uses. */
    public int descriptors() {
        return server.descriptors();
    }

    private synchronized CompletableFuture<HttpAnswer> scrape() {
        CompletableFuture<HttpAnswer> now = underWay;
        if (now == null || now.isDone()) {
            now = process.vms()
                    .figures()
                    .thenComposeAsync(
                            seen -> process.health().problems(seen).thenApplyAsync(found -> text(seen, found), worker),
                            worker);
            underWay = now;
        }
        return now;
    }

    private HttpAnswer text(List<VmTable.Seen> seen, List<Problem> problems) {
        Samples samples = new Samples();
        samples.add(Metric.BUILD_INFO, 1, process.version());
        samples.add(Metric.VMS, seen.size());
        for (Problem.Severity severity : Problem.Severity.values()) {
            samples.add(
                    Metric.HEALTH_PROBLEMS,
                    problems.stream()
                            .filter(problem -> problem.severity() == severity)
                            .count(),
                    severity.word());
        }
        Set<String> names = new HashSet<>();
        VmSamples ofVms = new VmSamples(samples);
        for (VmTable.Seen of : seen) {
            String vm = of.vm().name();
            names.add(vm);
            samples.add(Metric.VM_RESPONDING, of.figures().isPresent(), vm);
            delays.of(vm).ifPresent(nanos -> samples.add(Metric.VM_EVENT_LOOP_DELAY, nanos / 1e9, vm));
            of.figures().ifPresent(figures -> {
                ofVms.add(figures);
                process.counts().begin(vm, figures.brokenQueues().keySet());
            });
        }
        process.paged().get().forEach(ofVms::add);
        process.migrations().get().forEach(ofVms::add);
        process.counts().addTo(samples, names);
        delays.addTo(samples);
        own.addTo(samples);
        ByteArrayOutputStream out = new ByteArrayOutputStream(room);
        try {
            writer.write(out, samples.snapshots(), EscapingScheme.UNDERSCORE_ESCAPING);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        room = out.size() + ROOM;
        return new HttpAnswer.Whole(HttpAnswer.OK, PrometheusTextFormatWriter.CONTENT_TYPE, out.toByteArray());
    }

    private CompletableFuture<HttpAnswer> health(HttpRequest request) {
        boolean json = request.header("accept").toLowerCase(Locale.ROOT).contains("json");
        return process.health().look().thenApplyAsync(problems -> answer(problems, json), worker);
    }

    private static HttpAnswer answer(List<Problem> problems, boolean json) {
        boolean critical = problems.stream().anyMatch(problem -> problem.severity() == Problem.Severity.CRITICAL);
        int status = critical ? HttpAnswer.UNAVAILABLE : HttpAnswer.OK;
        if (json) {
            ObjectNode report = HealthText.json(problems);
            return new HttpAnswer.Whole(status, "application/json", Json.line(report));
        }
        return HttpAnswer.text(status, HealthText.words(problems));
    }

    @Override
    public void close() {
        delays.close();
        server.close();
        worker.shutdownNow();
    }
}
