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
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigInteger;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.exomem.backend.map.MemoryMaps;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.pager.PagedState;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpException;
import org.exomem.backend.qmp.WrittenJson;
import org.exomem.backend.vm.ActiveState;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmState;
import org.exomem.backend.vm.VmTable;
import org.exomem.balloon.BalloonStatistics;
import org.exomem.balloon.StatisticsTag;

/** The commands of the control socket, each described in one place; see {@code spec/control.md}. */
final class Commands implements AutoCloseable {
    /** The command that must come before all others. {@link ControlConnection} executes it. */
    static final String NEGOTIATE = "qmp_capabilities";

    private static final int MAX_STATISTICS_INTERVAL = 86_400;
    /** The most names in one message. */
    private static final int MOST_NAMES = 10;

    /** The VM that a command is about; optional if there is only one (CTL-7). */
    static final Type.Member VM = maybe("vm", TEXT);

    private final Vms vms;
    private final ProcessControl process;
    private final Migrations migrations;
    private final SlowWork slowWork = new SlowWork();
    private final MemoryMaps maps;
    private final Map<String, Command> table = new TreeMap<>();

    Commands(VmTable known, Migrations migrations, ProcessControl process) {
        this.vms = new Vms(known);
        this.process = process;
        this.maps = new MemoryMaps(migrations);
        new MemoryCommands(vms).all().forEach(this::add);
        new FreePageCommands(vms).all().forEach(this::add);
        this.migrations = migrations;
        new MigrationCommands(migrations, slowWork).all().forEach(this::add);
        new ProcessCommands(process, slowWork).all().forEach(this::add);
        new PagerCommands(process).all().forEach(this::add);
        new HealthCommands(process).all().forEach(this::add);
        new MapCommands(vms, maps).all().forEach(this::add);
        all().forEach(this::add);
    }

    private void add(Command command) {
        if (table.putIfAbsent(command.name(), command) != null) {
            throw new IllegalStateException("two commands are named " + command.name());
        }
    }

    private List<Command> all() {
        List<Command> commands = new ArrayList<>();
        Command.SimpleAction elsewhere = arguments -> {
            throw QmpException.commandNotFound("capabilities negotiation is already complete");
        };
        commands.add(Command.of(NEGOTIATE, object(maybe("enable", list(choice()))), NOTHING, elsewhere));
        Type named = list(object(with("name", TEXT)));
        commands.add(Command.of("query-commands", NOTHING, named, this::queryCommands));
        commands.add(Command.of("query-events", NOTHING, named, this::queryEvents));
        commands.add(Command.of(
                "query-version",
                NOTHING,
                object(
                        with("qemu", object(with("major", COUNT), with("minor", COUNT), with("micro", COUNT))),
                        with("package", TEXT)),
                arguments -> done(Version.current().describe())));
        commands.add(Command.of("query-qmp-schema", NOTHING, schemaOfSchema(), this::querySchema));
        commands.add(Command.of(
                "query-status",
                NOTHING,
                object(
                        with("running", FLAG),
                        with("status", TEXT),
                        with("vms", COUNT),
                        with("responding", COUNT),
                        with("connected", COUNT)),
                this::queryStatus));
        commands.add(Command.of("query-vms", NOTHING, list(vmType()), this::queryVms));
        commands.add(Command.of(
                "balloon", object(VM, with("value", whole(1, Long.MAX_VALUE))), NOTHING, this::balloon));
        commands.add(Command.of("query-balloon", object(VM), balloonType(), this::queryBalloon));
        commands.add(Command.of("query-balloon-stats", object(VM), statisticsType(), this::queryBalloonStats));
        commands.add(Command.of(
                "set-balloon-stats-interval",
                object(VM, with("interval", whole(0, MAX_STATISTICS_INTERVAL))),
                NOTHING,
                this::setBalloonStatsInterval));
        commands.add(Command.of("pages-subscribe", object(VM, with("socket", TEXT)), NOTHING, this::pagesSubscribe));
        commands.add(new Command(
                "follow-pages",
                object(VM),
                NOTHING,
                (arguments, client) -> client.follower().follow(vms.named(arguments))));
        commands.add(new Command("quit", object(maybe("force", FLAG)), NOTHING, this::quit));
        return commands;
    }

    /** The type {@code SchemaInfo}, as far as it is used here. */
    private static Type schemaOfSchema() {
        Type named = list(object(with("name", TEXT)));
        return list(object(
                with("name", TEXT),
                with("meta-type", choice("builtin", "enum", "array", "object", "command", "event")),
                maybe("json-type", choice("string", "boolean", "int", "value")),
                maybe("element-type", TEXT),
                maybe("members", list(object(with("name", TEXT), maybe("type", TEXT), maybe("default", TEXT)))),
                maybe("values", list(TEXT)),
                maybe("arg-type", TEXT),
                maybe("ret-type", TEXT)));
    }

    private static Type vmType() {
        return object(
                with("name", TEXT),
                with("attachment", TEXT),
                with("responding", FLAG),
                maybe("vmm-qmp", TEXT),
                with("sockets", list(object(with("device", TEXT), with("path", TEXT)))),
                maybe("connected", FLAG),
                maybe("memory", COUNT),
                maybe("actual", COUNT),
                maybe("target", COUNT),
                maybe("ballooned", COUNT),
                maybe("host", COUNT),
                maybe("stats-interval", COUNT),
                maybe("features", list(TEXT)),
                maybe("memory-devices", list(TEXT)),
                maybe(
                        "active",
                        object(
                                with("interval", COUNT),
                                maybe("bytes", COUNT),
                                maybe("estimate", COUNT),
                                maybe("watched", COUNT),
                                maybe("last-ns", COUNT),
                                maybe("stopped-ns", COUNT),
                                maybe("reason", TEXT))));
    }

    private static Type balloonType() {
        return object(
                maybe("actual", COUNT), maybe("target", COUNT), maybe("ballooned", COUNT), maybe("memory", COUNT));
    }

    private static Type statisticsType() {
        Type.Member[] members = Arrays.stream(StatisticsTag.values())
                .map(tag -> maybe(tag.qmpName(), COUNT))
                .toArray(Type.Member[]::new);
        return object(with("stats", object(members)), with("last-update", COUNT));
    }

    /**
     * Executes a command. The future, or the call itself, fails with a {@link QmpException} if it is refused.
     *
     * @param client that sent the command
     */
    CompletableFuture<JsonNode> run(String name, ObjectNode arguments, Command.Client client) {
        Command command = table.get(name);
        if (command == null) {
            throw QmpException.commandNotFound("there is no command \"" + name + "\"; query-commands lists them");
        }
        return command.run(arguments, client);
    }

    private static CompletableFuture<JsonNode> done(JsonNode answer) {
        return CompletableFuture.completedFuture(answer);
    }

    private CompletableFuture<JsonNode> queryStatus(Arguments arguments) {
        return vms.states()
                .thenApply(states -> Json.object()
                        .put("running", true)
                        .put("status", "running")
                        .put("vms", states.size())
                        .put("responding", present(states).count())
                        .put(
                                "connected",
                                present(states).filter(VmState::connected).count()));
    }

    private static Stream<VmState> present(List<Vms.Answer> answers) {
        return answers.stream().flatMap(answer -> answer.state().stream());
    }

    private CompletableFuture<JsonNode> queryCommands(Arguments arguments) {
        return done(names(table.keySet().stream()));
    }

    private CompletableFuture<JsonNode> queryEvents(Arguments arguments) {
        return done(names(EventText.TYPES.keySet().stream()));
    }

    private CompletableFuture<JsonNode> querySchema(Arguments arguments) {
        return done(Schema.of(table.values(), EventText.TYPES));
    }

    private static ArrayNode names(Stream<String> names) {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        names.forEach(name -> list.addObject().put("name", name));
        return list;
    }

    private CompletableFuture<JsonNode> queryVms(Arguments arguments) {
        return vms.states().thenApply(states -> {
            ArrayNode list = JsonNodeFactory.instance.arrayNode();
            for (Vms.Answer answer : states) {
                ObjectNode described =
                        answer.state().map(Commands::describe).orElseGet(() -> notResponding(answer.vm()));
                answer.vm().vmmQmp().ifPresent(qmp -> described.put("vmm-qmp", qmp.toString()));
                ArrayNode sockets = described.putArray("sockets");
                answer.vm()
                        .sockets()
                        .forEach((device, path) ->
                                sockets.addObject().put("device", device).put("path", path.toString()));
                list.add(described);
            }
            return WrittenJson.of(list);
        });
    }

    private static ObjectNode notResponding(VirtualMachine vm) {
        return Json.object()
                .put("name", vm.name())
                .put("attachment", vm.attachment())
                .put("responding", false);
    }

    private static ObjectNode describe(ActiveState active) {
        ObjectNode described = Json.object().put("interval", active.interval());
        return switch (active) {
            case ActiveState.Known known ->
                described
                        .put("bytes", known.written())
                        .put("estimate", known.estimate())
                        .put("watched", known.watched())
                        .put("last-ns", known.scan().toNanos())
                        .put("stopped-ns", known.stopped().toNanos());
            case ActiveState.Unknown unknown -> described.put("reason", unknown.reason());
        };
    }

    private static ObjectNode describe(VmState state) {
        ObjectNode vm = Json.object()
                .put("name", state.name())
                .put("attachment", state.attachment())
                .put("responding", true)
                .put("connected", state.connected());
        state.balloon().ifPresent(balloon -> {
            vm.put("memory", balloon.memory());
            putSizes(vm, balloon);
            vm.put("stats-interval", balloon.statisticsInterval());
            ArrayNode features = vm.putArray("features");
            balloon.features().forEach(features::add);
        });
        state.host().ifPresent(bytes -> vm.put("host", bytes));
        ArrayNode devices = vm.putArray("memory-devices");
        state.memory().forEach(device -> devices.add(device.id()));
        state.active().ifPresent(active -> vm.set("active", describe(active)));
        return vm;
    }

    private static void putSizes(ObjectNode to, VmState.Balloon balloon) {
        to.put("actual", balloon.actual());
        balloon.target().ifPresent(target -> to.put("target", target));
        to.put("ballooned", balloon.ballooned());
    }

    private CompletableFuture<JsonNode> balloon(Arguments arguments) {
        long value = arguments.integer("value");
        return vms.named(arguments).resize(value).thenApply(done -> Json.object());
    }

    private CompletableFuture<JsonNode> queryBalloon(Arguments arguments) {
        return vms.named(arguments).state().thenApply(state -> {
            VmState.Balloon balloon = state.balloon()
                    .orElseThrow(() -> QmpException.deviceNotActive("VM \"" + state.name() + "\" has no balloon"));
            // CTL-8
            if (balloon.memory() == 0) {
                throw QmpException.deviceNotActive("VM \"" + state.name() + "\" shares no memory: "
                        + (balloon.connected() ? "its driver has not started" : "no VMM is connected"));
            }
            ObjectNode answer = Json.object();
            putSizes(answer, balloon);
            return answer.put("memory", balloon.memory());
        });
    }

    private CompletableFuture<JsonNode> queryBalloonStats(Arguments arguments) {
        // CTL-9: returns the last values, and requests new ones.
        return vms.named(arguments).statistics().thenApply(Commands::describe);
    }

    private static ObjectNode describe(BalloonStatistics statistics) {
        ObjectNode answer = Json.object();
        ObjectNode stats = answer.putObject("stats");
        // The guest's numbers are unsigned and have 64 bits.
        statistics
                .values()
                .forEach((tag, value) -> stats.put(tag.qmpName(), new BigInteger(Long.toUnsignedString(value))));
        return answer.put("last-update", statistics.lastUpdateSeconds());
    }

    private CompletableFuture<JsonNode> setBalloonStatsInterval(Arguments arguments) {
        int seconds = (int) arguments.integer("interval");
        return vms.named(arguments).statisticsInterval(seconds).thenApply(done -> Json.object());
    }

    private CompletableFuture<JsonNode> pagesSubscribe(Arguments arguments) {
        Path socket = arguments.absolutePath("socket");
        return vms.named(arguments).sharePages(socket).thenApply(done -> Json.object());
    }

    private static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    /** Ends the process. Called when the answer to {@code quit} was sent. */
    void quitNow() {
        process.quit();
    }

    /** Accepts no more slow commands. Does not wait for those under way. */
    @Override
    public void close() {
        slowWork.close();
        maps.close();
    }

    /** Refuses while a VMM is attached, or may be (CTL-30): a VMM that does not connect again would lose its devices. */
    private CompletableFuture<JsonNode> quit(Arguments arguments, Command.Client client) {
        CompletableFuture<JsonNode> allowed =
                arguments.flag("force", false) ? done(Json.object()) : refusedWhileNeeded();
        return allowed.whenComplete((answer, failure) -> {
            if (failure == null) {
                client.quitAfterAnswer();
            }
        });
    }

    private CompletableFuture<JsonNode> refusedWhileNeeded() {
        List<String> paged = process.paged().stream()
                .filter(state -> !state.status().isOver())
                .map(PagedState::vm)
                .toList();
        if (!paged.isEmpty()) {
            throw QmpException.generic("memory on demand of " + shortened(paged)
                    + " has not all arrived: accesses to the rest would wait until exomem is started again"
                    + " (\"exomem pagers\" shows the progress); \"force\": true (exomem quit --force) ends"
                    + " exomem anyway");
        }
        List<String> owing = migrations.owing();
        if (!owing.isEmpty()) {
            throw QmpException.generic("the guest of " + shortened(owing)
                    + " has migrated before all of its memory, and waits for the rest (\"exomem migrate VM"
                    + " --status\" shows the progress); \"force\": true (exomem quit --force) ends exomem"
                    + " anyway: at the source this loses the guest, at the destination the next"
                    + " exomem continues");
        }
        return refusedWhileAttached();
    }

    private CompletableFuture<JsonNode> refusedWhileAttached() {
        return vms.states().thenApply(states -> {
            List<String> attached = states.stream()
                    .filter(answer -> answer.state().map(VmState::connected).orElse(true))
                    .map(answer -> answer.vm().name() + (answer.state().isPresent() ? "" : " (does not respond)"))
                    .toList();
            if (!attached.isEmpty()) {
                throw QmpException.generic((attached.size() == 1 ? "a VMM is attached: " : "VMMs are attached: ")
                        + shortened(attached)
                        + "; QEMU does not reconnect, and its VM would lose its balloon and memory devices"
                        + " until it is restarted. \"exomem detach\" removes them from a VM; \"force\": true"
                        + " (exomem quit --force) ends exomem anyway");
            }
            return Json.object();
        });
    }

    private static String shortened(List<String> names) {
        String first = names.stream().limit(MOST_NAMES).collect(Collectors.joining(", "));
        return names.size() <= MOST_NAMES ? first : first + " and " + (names.size() - MOST_NAMES) + " more";
    }
}
