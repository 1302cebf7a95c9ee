package org.exomem.backend.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.exomem.backend.vm.HintAction;
import org.exomem.backend.vm.LimitedVm;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmState;
import org.exomem.balloon.BalloonStatistics;
import org.exomem.balloon.FreePages;

/** What the control socket can be asked to do; see {@code spec/control.md}. */
final class Commands {
    private static final int MAX_STATISTICS_INTERVAL = 86_400;

    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(1);

    private final Map<String, VirtualMachine> vms;
    private final Runnable quit;
    private final Map<String, Function<Arguments, CompletableFuture<JsonNode>>> table = new TreeMap<>();

    Commands(List<? extends VirtualMachine> vms, Runnable quit) {
        this.vms = new TreeMap<>(
                vms.stream().collect(Collectors.toMap(VirtualMachine::name, vm -> new LimitedVm(vm, ANSWER_LIMIT))));
        this.quit = quit;
        table.put("query-status", this::queryStatus);
        table.put("query-commands", this::queryCommands);
        table.put("query-vms", this::queryVms);
        table.put("balloon", this::balloon);
        table.put("query-balloon", this::queryBalloon);
        table.put("query-balloon-stats", this::queryBalloonStats);
        table.put("set-balloon-stats-interval", this::setBalloonStatsInterval);
        table.put("free-page-hint", this::freePageHint);
        table.put("query-free-pages", this::queryFreePages);
        table.put("quit", this::quit);
    }

    /** Runs a command. The future, like the call itself, fails with a {@link QmpException} where it is refused. */
    CompletableFuture<JsonNode> run(String name, ObjectNode arguments) {
        Function<Arguments, CompletableFuture<JsonNode>> command = table.get(name);
        if (command == null) {
            throw QmpException.commandNotFound("there is no command \"" + name + "\"; query-commands lists them");
        }
        return command.apply(new Arguments(arguments));
    }

    private CompletableFuture<JsonNode> queryStatus(Arguments arguments) {
        arguments.end();
        return states().thenApply(states -> Json.object()
                .put("running", true)
                .put("status", "running")
                .put("vms", states.size())
                .put("responding", states.stream().flatMap(Optional::stream).count())
                .put(
                        "connected",
                        states.stream()
                                .flatMap(Optional::stream)
                                .filter(VmState::connected)
                                .count()));
    }

    private CompletableFuture<JsonNode> queryCommands(Arguments arguments) {
        arguments.end();
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        list.addObject().put("name", "qmp_capabilities");
        table.keySet().forEach(name -> list.addObject().put("name", name));
        return CompletableFuture.completedFuture(list);
    }

    private CompletableFuture<JsonNode> queryVms(Arguments arguments) {
        arguments.end();
        return states().thenApply(states -> {
            ArrayNode list = JsonNodeFactory.instance.arrayNode();
            int next = 0;
            for (VirtualMachine vm : vms.values()) {
                list.add(states.get(next++).map(Commands::describe).orElseGet(() -> notResponding(vm)));
            }
            return list;
        });
    }

    private static ObjectNode notResponding(VirtualMachine vm) {
        return Json.object()
                .put("name", vm.name())
                .put("attachment", vm.attachment())
                .put("responding", false);
    }

    private static ObjectNode describe(VmState state) {
        ObjectNode vm = Json.object()
                .put("name", state.name())
                .put("attachment", state.attachment())
                .put("responding", true)
                .put("connected", state.connected())
                .put("memory", state.memory());
        putSizes(vm, state);
        vm.put("stats-interval", state.statisticsInterval());
        ArrayNode features = vm.putArray("features");
        state.features().forEach(features::add);
        return vm;
    }

    private static void putSizes(ObjectNode to, VmState state) {
        to.put("actual", state.actual());
        state.target().ifPresent(target -> to.put("target", target));
        to.put("ballooned", state.ballooned());
    }

    private CompletableFuture<JsonNode> balloon(Arguments arguments) {
        long value = arguments.integer("value", 1, Long.MAX_VALUE);
        return vm(arguments).resize(value).thenApply(done -> Json.object());
    }

    private CompletableFuture<JsonNode> queryBalloon(Arguments arguments) {
        return vm(arguments).state().thenApply(state -> {
            if (state.memory() == 0) {
                throw QmpException.deviceNotActive("VM \"" + state.name() + "\" shares no memory: "
                        + (state.connected() ? "its driver has not started" : "no front-end is connected"));
            }
            ObjectNode balloon = Json.object();
            putSizes(balloon, state);
            return balloon.put("memory", state.memory());
        });
    }

    private CompletableFuture<JsonNode> queryBalloonStats(Arguments arguments) {
        return vm(arguments).statistics().thenApply(Commands::describe);
    }

    private static ObjectNode describe(BalloonStatistics statistics) {
        ObjectNode answer = Json.object();
        ObjectNode stats = answer.putObject("stats");
        statistics.values().forEach((tag, value) -> stats.put(tag.qmpName(), value));
        return answer.put("last-update", statistics.lastUpdateSeconds());
    }

    private CompletableFuture<JsonNode> setBalloonStatsInterval(Arguments arguments) {
        int seconds = (int) arguments.integer("interval", 0, MAX_STATISTICS_INTERVAL);
        return vm(arguments).statisticsInterval(seconds).thenApply(done -> Json.object());
    }

    private CompletableFuture<JsonNode> freePageHint(Arguments arguments) {
        String word = arguments.text("action");
        HintAction action = switch (word) {
            case "start" -> HintAction.START;
            case "stop" -> HintAction.STOP;
            case "done" -> HintAction.DONE;
            default -> throw QmpException.generic("action \"" + word + "\" is none of start, stop, done");
        };
        return vm(arguments).hint(action).thenApply(done -> Json.object());
    }

    private CompletableFuture<JsonNode> queryFreePages(Arguments arguments) {
        return vm(arguments).freePages().thenApply(Commands::describe);
    }

    private static ObjectNode describe(FreePages pages) {
        return Json.object()
                .put("state", pages.state().name().toLowerCase(Locale.ROOT))
                .put("command-id", Integer.toUnsignedLong(pages.commandId()))
                .put("hinted", pages.hintedBytes())
                .put("reported", pages.reportedBytes())
                .put("reports", pages.reports())
                .put("discarded", pages.discardedBytes());
    }

    /** Ends the process; called when the answer to {@code quit} is on its way. */
    void quitNow() {
        quit.run();
    }

    private CompletableFuture<JsonNode> quit(Arguments arguments) {
        arguments.end();
        return CompletableFuture.completedFuture(Json.object());
    }

    /** The VM that a command is about: the one named, or the only one. Ends the arguments. */
    private VirtualMachine vm(Arguments arguments) {
        Optional<String> name = arguments.optionalText("vm");
        arguments.end();
        if (name.isEmpty()) {
            if (vms.size() == 1) {
                return vms.values().iterator().next();
            }
            throw QmpException.generic("argument \"vm\" is missing; there are " + String.join(", ", vms.keySet()));
        }
        VirtualMachine vm = vms.get(name.get());
        if (vm == null) {
            throw QmpException.deviceNotFound(
                    "there is no VM \"" + name.get() + "\"; there are " + String.join(", ", vms.keySet()));
        }
        return vm;
    }

    /** In the order of {@link #vms}; empty for those that do not answer. */
    private CompletableFuture<List<Optional<VmState>>> states() {
        List<CompletableFuture<Optional<VmState>>> all =
                vms.values().stream().map(Commands::stateIfAny).toList();
        return CompletableFuture.allOf(all.toArray(CompletableFuture<?>[]::new))
                .thenApply(done -> all.stream().map(CompletableFuture::join).toList());
    }

    private static CompletableFuture<Optional<VmState>> stateIfAny(VirtualMachine vm) {
        return vm.state().handle((state, failure) -> {
            if (failure == null) {
                return Optional.of(state);
            }
            Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
            if (cause instanceof VirtualMachine.NotAnswering) {
                return Optional.empty();
            }
            throw new CompletionException(cause);
        });
    }
}
