package org.exomem.backend.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.exomem.backend.migrate.MigrationRequest;
import org.exomem.backend.migrate.MigrationState;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpException;
import org.exomem.migration.Fate;
import org.exomem.migration.precopy.HintedPages;
import org.exomem.migration.precopy.PrecopyOptions;
import org.exomem.migration.precopy.Report;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.tls.CertificateSecurity;
import org.exomem.migration.stream.wire.tls.PreSharedKey;
import org.exomem.migration.stream.wire.tls.PskSecurity;

/** The commands about migrations, with QEMU's names; see {@code spec/control.md}. */
final class MigrationCommands {
    private static final long MOST_MILLIS = Duration.ofHours(1).toMillis();
    private static final int MOST_CHANNELS = 16;
    /** A destination keeps longer what it has than a source tries: one may have noticed before the other. */
    private static final Duration TRIES = Duration.ofSeconds(30);

    private final Migrations migrations;

    MigrationCommands(Migrations migrations) {
        this.migrations = migrations;
    }

    void addTo(Map<String, Function<Arguments, CompletableFuture<JsonNode>>> table) {
        table.put("migrate", arguments -> begin(arguments, this::migrate, true));
        table.put("migrate-incoming", arguments -> begin(arguments, migrations::receive, false));
        table.put("migrate-cancel", this::cancel);
        table.put("query-migrate", this::query);
    }

    private interface Begin {
        CompletableFuture<Void> begin(String vm, MigrationRequest request);
    }

    private CompletableFuture<Void> migrate(String vm, MigrationRequest request) {
        migrations.migrate(vm, request);
        return CompletableFuture.completedFuture(null);
    }

    private CompletableFuture<JsonNode> begin(Arguments arguments, Begin task, boolean leaves) {
        String vm = arguments.text("vm");
        MigrationAddress address = address(arguments.text("uri"));
        Optional<Path> qmp = arguments.optionalPath("vmm-qmp");
        StreamSecurity security = security(arguments.optionalPath("tls-dir"), arguments.optionalPath("psk-file"));
        StreamOptions stream = StreamOptions.defaults().withPlainAllowed(arguments.flag("plain", false));
        Duration within = leaves ? TRIES : stream.resumeWithin();
        stream = stream.withResumeWithin(
                Duration.ofSeconds(arguments.integer("reconnect-within", 0, MOST_MILLIS / 1000, within.toSeconds())));
        long bandwidth = 0;
        boolean hints = true;
        boolean balloonFirst = false;
        PrecopyOptions precopy = PrecopyOptions.DEFAULT;
        if (leaves) {
            bandwidth = arguments.integer("max-bandwidth", 0, Long.MAX_VALUE, 0);
            hints = arguments.flag("hints", true);
            balloonFirst = arguments.flag("balloon-first", false);
            stream = stream.withChannels((int) arguments.integer("channels", 1, MOST_CHANNELS, 1));
            if (arguments.flag("compress", false)) {
                Set<StreamFeature> features = EnumSet.copyOf(stream.offered());
                features.add(StreamFeature.ZSTD);
                stream = stream.withFeatures(features, stream.required());
            }
            precopy = precopy(arguments, precopy);
        }
        arguments.end();
        MigrationRequest request = new MigrationRequest(address, qmp, security, stream, bandwidth, hints, precopy);
        return task.begin(vm, balloonFirst ? request.withBalloonFirst() : request)
                .thenApply(begun -> Json.object());
    }

    private static PrecopyOptions precopy(Arguments arguments, PrecopyOptions before) {
        return before.withDowntimeLimit(Duration.ofMillis(arguments.integer(
                        "downtime-limit", 0, MOST_MILLIS, before.downtimeLimit().toMillis())))
                .withMaxRounds((int) arguments.integer("max-rounds", 1, Integer.MAX_VALUE, before.maxRounds()))
                .withAutoConverge(arguments.flag("auto-converge", before.autoConverge()))
                .withHintedPages(arguments
                        .optionalText("hinted-pages")
                        .map(MigrationCommands::hintedPages)
                        .orElse(before.hintedPages()));
    }

    private static HintedPages hintedPages(String word) {
        return switch (word) {
            case "send" -> HintedPages.SEND;
            case "skip-unchanged" -> HintedPages.SKIP_UNCHANGED;
            default -> throw QmpException.generic("argument \"hinted-pages\" must be \"send\" or \"skip-unchanged\"");
        };
    }

    private static MigrationAddress address(String uri) {
        try {
            return MigrationAddress.parse(uri.startsWith("tcp:") ? uri.substring("tcp:".length()) : uri);
        } catch (IllegalArgumentException e) {
            throw QmpException.generic(String.valueOf(e.getMessage()));
        }
    }

    private static StreamSecurity security(Optional<Path> tls, Optional<Path> psk) {
        if (tls.isPresent() && psk.isPresent()) {
            throw QmpException.generic("arguments \"tls-dir\" and \"psk-file\" exclude each other");
        }
        try {
            if (tls.isPresent()) {
                return CertificateSecurity.of(tls.get());
            }
            return psk.isPresent() ? new PskSecurity(PreSharedKey.of(psk.get())) : StreamSecurity.none();
        } catch (IOException e) {
            throw QmpException.generic(String.valueOf(e.getMessage()));
        }
    }

    private CompletableFuture<JsonNode> cancel(Arguments arguments) {
        String vm = arguments.text("vm");
        arguments.end();
        if (!migrations.cancel(vm)) {
            throw QmpException.generic("VM \"" + vm + "\" is not migrating");
        }
        return CompletableFuture.completedFuture(Json.object());
    }

    private CompletableFuture<JsonNode> query(Arguments arguments) {
        String vm = arguments.text("vm");
        arguments.end();
        return CompletableFuture.completedFuture(
                migrations.state(vm).map(MigrationCommands::describe).orElseGet(Json::object));
    }

    private static ObjectNode describe(MigrationState state) {
        ObjectNode node = Json.object()
                .put("vm", state.vm())
                .put("direction", state.incoming() ? "incoming" : "outgoing")
                .put("peer", state.peer())
                .put("status", state.status().toString())
                .put("total-time", state.elapsed().toMillis());
        state.error().ifPresent(error -> node.put("error-desc", error));
        state.downtime().ifPresent(downtime -> node.put("downtime", downtime.toMillis()));
        state.balloonFirst()
                .ifPresent(result -> node.putObject("balloon-first")
                        .put("available", result.available())
                        .put("before", result.before())
                        .put("target", result.target())
                        .put("after", result.after())
                        .put("time", result.time().toMillis()));
        state.progress().ifPresent(progress -> {
            node.put("expected-downtime", progress.downtime().toMillis());
            node.putObject("ram")
                    .put("total", state.memory())
                    .put("transferred", state.sent())
                    .put("remaining", state.status().isOver() ? 0 : progress.owedBytes())
                    .put("dirty-sync-count", progress.round())
                    .put("bytes-per-second", progress.bytesPerSecond())
                    .put("phase", progress.phase().name().toLowerCase(Locale.ROOT));
        });
        state.report().ifPresent(report -> node.set("pages", pages(report)));
        state.received()
                .ifPresent(received -> node.putObject("received")
                        .put("source", received.source())
                        .put("rounds", received.rounds())
                        .put("pages", received.pages())
                        .put("zeros", received.zeros())
                        .put("free", received.free())
                        .put("cuts", received.cuts()));
        return node;
    }

    private static ObjectNode pages(Report report) {
        ObjectNode pages = Json.object().put("size", report.pageSize());
        for (Fate fate : Fate.values()) {
            pages.put(fate.name().toLowerCase(Locale.ROOT), report.pages(fate));
        }
        return pages.put("resent", report.resent())
                .put("unchanged", report.unchanged())
                .put("rounds", report.rounds())
                .put("sent-bytes", report.sentBytes())
                .put("memory-time-us", report.total().toNanos() / 1000)
                .put("memory-downtime-us", report.downtime().toNanos() / 1000)
                .put("estimated-downtime-us", report.estimatedDowntime().toNanos() / 1000)
                .put("in-limit", report.inLimit())
                .put("throttle", report.throttle());
    }
}
