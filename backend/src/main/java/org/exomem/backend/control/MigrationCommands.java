package org.exomem.backend.control;

import static org.exomem.backend.control.Command.NOTHING;
import static org.exomem.backend.control.Type.COUNT;
import static org.exomem.backend.control.Type.FLAG;
import static org.exomem.backend.control.Type.TEXT;
import static org.exomem.backend.control.Type.choice;
import static org.exomem.backend.control.Type.list;
import static org.exomem.backend.control.Type.maybe;
import static org.exomem.backend.control.Type.object;
import static org.exomem.backend.control.Type.whole;
import static org.exomem.backend.control.Type.with;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.HintsChoice;
import org.exomem.backend.config.WritesChoice;
import org.exomem.backend.image.SaveRequest;
import org.exomem.backend.image.SaveTask;
import org.exomem.backend.migrate.Direction;
import org.exomem.backend.migrate.GuestWrites;
import org.exomem.backend.migrate.KeyFiles;
import org.exomem.backend.migrate.MigrationRequest;
import org.exomem.backend.migrate.MigrationState;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.migrate.Status;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpException;
import org.exomem.backend.update.Renamed;
import org.exomem.backend.update.UpdateTask;
import org.exomem.migration.Fate;
import org.exomem.migration.precopy.HintedPages;
import org.exomem.migration.precopy.PrecopyOptions;
import org.exomem.migration.precopy.Report;
import org.exomem.migration.precopy.SwitchOver;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.pages.Pages;

/** The commands about migrations, with QEMU's names; see {@code spec/control.md}. */
final class MigrationCommands {
    private static final long MOST_MILLIS = Duration.ofHours(1).toMillis();
    private static final int MOST_CHANNELS = 16;
    private static final int MOST_ROUNDS = 1_000_000;
    private static final int CHANNELS = StreamOptions.USUAL_CHANNELS;
    /**
     * How long a source tries to connect again. A destination keeps its state for longer, because one end may notice a lost
     * connection before the other.
     */
    private static final Duration TRIES = Duration.ofSeconds(30);

    private final Migrations migrations;
    private final SlowWork slowWork;

    MigrationCommands(Migrations migrations, SlowWork slowWork) {
        this.migrations = migrations;
        this.slowWork = slowWork;
    }

    List<Command> all() {
        return List.of(
                Command.of("migrate", object(outgoing()), NOTHING, arguments -> begin(arguments, this::migrate, true)),
                Command.of(
                        "migrate-incoming",
                        object(bothEnds().toArray(Type.Member[]::new)),
                        NOTHING,
                        arguments -> begin(arguments, migrations::receive, false)),
                Command.of(
                        "vmm-update",
                        object(
                                with("vm", TEXT),
                                with("to", TEXT),
                                maybe("vmm-qmp", TEXT),
                                maybe("renamed", list(object(with("from", TEXT), with("to", TEXT))))),
                        NOTHING,
                        this::update),
                Command.of(
                        "save",
                        object(
                                with("vm", TEXT),
                                with("folder", TEXT),
                                maybe("end", FLAG),
                                maybe("template", FLAG),
                                maybe("key", TEXT),
                                maybe("hints", choice(words(HintsChoice.values()))),
                                maybe("writes", choice(words(WritesChoice.values()))),
                                maybe("vmm-qmp", TEXT)),
                        NOTHING,
                        this::save),
                Command.of("migrate-cancel", object(with("vm", TEXT)), NOTHING, this::cancel),
                Command.of("query-migrate", object(with("vm", TEXT)), stateType(), this::query));
    }

    private static List<Type.Member> bothEnds() {
        return List.of(
                with("vm", TEXT),
                with("uri", TEXT),
                maybe("vmm-qmp", TEXT),
                maybe("tls-dir", TEXT),
                maybe("psk-file", TEXT),
                maybe("plain", FLAG),
                maybe("reconnect-within", whole(0, MOST_MILLIS / 1000)));
    }

    private static Type.Member[] outgoing() {
        List<Type.Member> members = new ArrayList<>(bothEnds());
        members.addAll(List.of(
                maybe("max-bandwidth", COUNT),
                maybe("hints", choice(words(HintsChoice.values()))),
                maybe("balloon-first", FLAG),
                maybe("channels", whole(1, MOST_CHANNELS)),
                maybe("compress", FLAG),
                maybe("downtime-limit", whole(0, MOST_MILLIS)),
                maybe("max-rounds", whole(1, Integer.MAX_VALUE)),
                maybe("auto-converge", FLAG),
                maybe("hinted-pages", choice("send", "skip-unchanged")),
                maybe("post-copy", FLAG),
                maybe("post-copy-after-rounds", whole(0, MOST_ROUNDS)),
                maybe("post-copy-after-time", whole(0, MOST_MILLIS)),
                maybe("writes", choice(words(WritesChoice.values())))));
        return members.toArray(Type.Member[]::new);
    }

    private static Type stateType() {
        List<Type.Member> pages = new ArrayList<>(List.of(
                with("size", COUNT),
                with("resent", COUNT),
                with("unchanged", COUNT),
                with("rounds", COUNT),
                with("sent-bytes", COUNT),
                with("memory-time-us", COUNT),
                with("memory-downtime-us", COUNT),
                with("estimated-downtime-us", COUNT),
                with("in-limit", FLAG),
                with("owed", COUNT),
                with("throttle", COUNT)));
        for (Fate fate : Fate.values()) {
            pages.add(with(word(fate), COUNT));
        }
        return object(
                maybe("vm", TEXT),
                maybe("direction", choice(words(Direction.values()))),
                maybe("peer", TEXT),
                maybe(
                        "status",
                        choice(Arrays.stream(Status.values())
                                .map(Status::toString)
                                .toArray(String[]::new))),
                maybe("total-time", COUNT),
                maybe("error-desc", TEXT),
                maybe("downtime", COUNT),
                maybe(
                        "balloon-first",
                        object(
                                with("available", COUNT),
                                with("before", COUNT),
                                with("target", COUNT),
                                with("after", COUNT),
                                with("time", COUNT))),
                maybe("writes", object(with("way", choice(words(GuestWrites.Way.values()))), maybe("reason", TEXT))),
                maybe("expected-downtime", COUNT),
                maybe(
                        "ram",
                        object(
                                with("total", COUNT),
                                with("transferred", COUNT),
                                with("remaining", COUNT),
                                with("dirty-sync-count", COUNT),
                                with("bytes-per-second", COUNT),
                                with("phase", TEXT))),
                maybe("pages", object(pages.toArray(Type.Member[]::new))),
                maybe(
                        "owed",
                        object(
                                with("remaining", COUNT),
                                with("faults", COUNT),
                                with("zero-faults", COUNT),
                                maybe("reason", TEXT))),
                maybe(
                        "received",
                        object(
                                with("source", TEXT),
                                with("rounds", COUNT),
                                with("pages", COUNT),
                                with("zeros", COUNT),
                                with("free", COUNT),
                                with("cuts", COUNT))));
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
        Optional<Path> tls = arguments.optionalPath("tls-dir");
        Optional<Path> psk = arguments.optionalPath("psk-file");
        if (tls.isPresent() && psk.isPresent()) {
            throw QmpException.generic("arguments \"tls-dir\" and \"psk-file\" are mutually exclusive");
        }
        StreamOptions stream = leaves ? outgoingStream(arguments) : StreamOptions.defaults();
        StreamOptions options = stream.withPlainAllowed(arguments.flag("plain", false))
                .withResumeWithin(Duration.ofSeconds(
                        arguments.integer("reconnect-within", (leaves ? TRIES : stream.resumeWithin()).toSeconds())));
        long bandwidth = arguments.integer("max-bandwidth", 0);
        HintsChoice hints = hints(arguments);
        boolean balloonFirst = arguments.flag("balloon-first", false);
        Optional<WritesChoice> writes = arguments.optionalText("writes").map(MigrationCommands::writes);
        PrecopyOptions precopy = precopy(arguments, PrecopyOptions.DEFAULT);
        if (leaves) {
            precopy = switchOver(arguments).map(precopy::withSwitchOver).orElse(precopy);
        }
        PrecopyOptions rounds = precopy;
        KeyFiles keys = new KeyFiles(tls, psk);
        return slowWork.run("read keys and certificates", keys::read)
                .thenCompose(security -> {
                    MigrationRequest request = new MigrationRequest(
                                    address, qmp, security, options, bandwidth, hints, rounds)
                            .withKeys(keys);
                    request = writes.map(request::withWrites).orElse(request);
                    return task.begin(vm, balloonFirst ? request.withBalloonFirst() : request);
                })
                .thenApply(begun -> Json.object());
    }

    private static HintsChoice hints(Arguments arguments) {
        return arguments
                .optionalText("hints")
                .map(word -> HintsChoice.valueOf(word.toUpperCase(Locale.ROOT)))
                .orElse(HintsChoice.AUTO);
    }

    private static StreamOptions outgoingStream(Arguments arguments) {
        StreamOptions stream = StreamOptions.defaults().withChannels((int) arguments.integer("channels", CHANNELS));
        Set<StreamFeature> features = EnumSet.copyOf(stream.offered());
        Set<StreamFeature> required = EnumSet.noneOf(StreamFeature.class);
        if (arguments.flag("compress", false)) {
            features.add(StreamFeature.ZSTD);
        }
        if (switchOver(arguments).isPresent()) {
            // STR-PST-1
            if (stream.channels() < 2 || arguments.integer("reconnect-within", 1) == 0) {
                throw QmpException.generic(
                        "post-copy requires at least two channels (one carries the pages that the guest waits for),"
                                + " and reconnect-within (a lost connection must be restored)");
            }
            required.addAll(Set.of(StreamFeature.POSTCOPY, StreamFeature.RESUME));
            features.addAll(required);
        }
        return stream.withFeatures(features, required);
    }

    /** Empty without post-copy. */
    private static Optional<SwitchOver> switchOver(Arguments arguments) {
        SwitchOver usual = SwitchOver.AFTER_ONE_ROUND;
        long time = arguments.integer("post-copy-after-time", -1);
        long rounds = arguments.integer("post-copy-after-rounds", -1);
        if (!arguments.flag("post-copy", rounds >= 0 || time >= 0)) {
            return Optional.empty();
        }
        if (rounds < 0 && time < 0) {
            return Optional.of(usual);
        }
        return Optional.of(new SwitchOver(
                rounds < 0 ? MOST_ROUNDS : (int) rounds, time < 0 ? usual.time() : Duration.ofMillis(time)));
    }

    private static PrecopyOptions precopy(Arguments arguments, PrecopyOptions before) {
        return before.withDowntimeLimit(Duration.ofMillis(arguments.integer(
                        "downtime-limit", before.downtimeLimit().toMillis())))
                .withMaxRounds((int) arguments.integer("max-rounds", before.maxRounds()))
                .withAutoConverge(arguments.flag("auto-converge", before.autoConverge()))
                .withHintedPages(arguments
                        .optionalText("hinted-pages")
                        .map(word -> word.equals("send") ? HintedPages.SEND : HintedPages.SKIP_UNCHANGED)
                        .orElse(before.hintedPages()));
    }

    private static MigrationAddress address(String uri) {
        try {
            return MigrationAddress.parse(uri.startsWith("tcp:") ? uri.substring("tcp:".length()) : uri);
        } catch (IllegalArgumentException e) {
            throw QmpException.generic(String.valueOf(e.getMessage()));
        }
    }

    private CompletableFuture<JsonNode> save(Arguments arguments) {
        SaveRequest request = new SaveRequest(
                arguments.absolutePath("folder"),
                arguments.flag("end", false),
                hints(arguments),
                arguments.optionalText("writes").map(MigrationCommands::writes),
                arguments.flag("template", false)
                        ? Optional.of(new SaveRequest.Template(arguments.optionalPath("key")))
                        : Optional.empty());
        migrations.begin(
                arguments.text("vm"),
                arguments.optionalPath("vmm-qmp"),
                new SaveTask(request, Version.current().toString()));
        return CompletableFuture.completedFuture(Json.object());
    }

    private CompletableFuture<JsonNode> update(Arguments arguments) {
        List<Renamed> renamed = new ArrayList<>();
        for (JsonNode one : arguments.list("renamed")) {
            try {
                renamed.add(new Renamed(
                        Path.of(one.path("from").asText()),
                        Path.of(one.path("to").asText())));
            } catch (IllegalArgumentException e) {
                throw QmpException.generic(String.valueOf(e.getMessage()));
            }
        }
        migrations.begin(
                arguments.text("vm"),
                arguments.optionalPath("vmm-qmp"),
                new UpdateTask(arguments.absolutePath("to"), renamed));
        return CompletableFuture.completedFuture(Json.object());
    }

    private CompletableFuture<JsonNode> cancel(Arguments arguments) {
        String vm = arguments.text("vm");
        if (!migrations.cancel(vm)) {
            throw QmpException.generic("VM \"" + vm + "\" is not migrating");
        }
        return CompletableFuture.completedFuture(Json.object());
    }

    private CompletableFuture<JsonNode> query(Arguments arguments) {
        String vm = arguments.text("vm");
        return CompletableFuture.completedFuture(
                migrations.state(vm).map(MigrationCommands::describe).orElseGet(Json::object));
    }

    private static ObjectNode describe(MigrationState state) {
        ObjectNode node = Json.object()
                .put("vm", state.vm())
                .put("direction", state.direction().toString())
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
        state.writes().ifPresent(found -> {
            ObjectNode writes = node.putObject("writes").put("way", word(found.way()));
            found.reason().ifPresent(reason -> writes.put("reason", reason));
        });
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
        state.owed().ifPresent(owed -> {
            ObjectNode pager = node.putObject("owed")
                    .put("remaining", Pages.bytes(owed.owed()))
                    .put("faults", owed.faults())
                    .put("zero-faults", owed.zeroFaults());
            owed.reason().ifPresent(reason -> pager.put("reason", reason));
        });
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
            pages.put(word(fate), report.pages(fate));
        }
        return pages.put("resent", report.resent())
                .put("unchanged", report.unchanged())
                .put("rounds", report.rounds())
                .put("sent-bytes", report.sentBytes())
                .put("memory-time-us", report.total().toNanos() / 1000)
                .put("memory-downtime-us", report.downtime().toNanos() / 1000)
                .put("estimated-downtime-us", report.estimatedDowntime().toNanos() / 1000)
                .put("in-limit", report.inLimit())
                .put("owed", report.owed())
                .put("throttle", report.throttle());
    }

    private static WritesChoice writes(String word) {
        try {
            return WritesChoice.parse(word);
        } catch (ConfigException e) {
            throw QmpException.generic(String.valueOf(e.getMessage()));
        }
    }

    private static String[] words(Enum<?>[] values) {
        return Arrays.stream(values).map(MigrationCommands::word).toArray(String[]::new);
    }

    private static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
