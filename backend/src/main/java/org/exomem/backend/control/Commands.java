package org.exomem.backend.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpException;
import org.exomem.backend.vm.HintAction;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmState;
import org.exomem.backend.vm.VmTable;
import org.exomem.balloon.BalloonStatistics;
import org.exomem.balloon.FreePages;
import org.exomem.pages.Pages;

/** What the control socket can be asked to do; see {@code spec/control.md}. */
final class Commands {
    private static final int MAX_STATISTICS_INTERVAL = 86_400;
    /** In one message. */
    private static final int MOST_NAMES = 10;
    /** The one command that is about the connection on which it comes. */
    private static final String FOLLOW_PAGES = "follow-pages";

    private final Vms vms;
    private final Runnable quit;
    private final Map<String, Function<Arguments, CompletableFuture<JsonNode>>> table = new TreeMap<>();

    Commands(VmTable known, Migrations migrations, Runnable quit) {
        this.vms = new Vms(known);
        this.quit = quit;
        new MemoryCommands(vms).addTo(table);
        new MigrationCommands(migrations).addTo(table);
        table.put("query-status", this::queryStatus);
        table.put("query-commands", this::queryCommands);
        table.put("query-vms", this::queryVms);
        table.put("balloon", this::balloon);
        table.put("query-balloon", this::queryBalloon);
        table.put("query-balloon-stats", this::queryBalloonStats);
        table.put("set-balloon-stats-interval", this::setBalloonStatsInterval);
        table.put("free-page-hint", this::freePageHint);
        table.put("query-free-pages", this::queryFreePages);
        table.put("pages-subscribe", this::pagesSubscribe);
        table.put("quit", this::quit);
    }

    /**
     * Runs a command. The future, like the call itself, fails with a {@link QmpException} where it is refused.
     *
     * @param follower of the client that asks
     */
    CompletableFuture<JsonNode> run(String name, ObjectNode arguments, PageFollower follower) {
        if (name.equals(FOLLOW_PAGES)) {
            return follower.follow(vms.named(new Arguments(arguments)));
        }
        Function<Arguments, CompletableFuture<JsonNode>> command = table.get(name);
        if (command == null) {
            throw QmpException.commandNotFound("there is no command \"" + name + "\"; query-commands lists them");
        }
        return command.apply(new Arguments(arguments));
    }

    private CompletableFuture<JsonNode> queryStatus(Arguments arguments) {
        arguments.end();
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
        arguments.end();
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        list.addObject().put("name", "qmp_capabilities");
        list.addObject().put("name", FOLLOW_PAGES);
        table.keySet().forEach(name -> list.addObject().put("name", name));
        return CompletableFuture.completedFuture(list);
    }

    private CompletableFuture<JsonNode> queryVms(Arguments arguments) {
        arguments.end();
        return vms.states().thenApply(states -> {
            ArrayNode list = JsonNodeFactory.instance.arrayNode();
            for (Vms.Answer answer : states) {
                list.add(answer.state().map(Commands::describe).orElseGet(() -> notResponding(answer.vm())));
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
                .put("connected", state.connected());
        state.balloon().ifPresent(balloon -> {
            vm.put("memory", balloon.memory());
            putSizes(vm, balloon);
            vm.put("stats-interval", balloon.statisticsInterval());
            ArrayNode features = vm.putArray("features");
            balloon.features().forEach(features::add);
        });
        ArrayNode devices = vm.putArray("memory-devices");
        state.memory().forEach(device -> devices.add(device.id()));
        return vm;
    }

    private static void putSizes(ObjectNode to, VmState.Balloon balloon) {
        to.put("actual", balloon.actual());
        balloon.target().ifPresent(target -> to.put("target", target));
        to.put("ballooned", balloon.ballooned());
    }

    private CompletableFuture<JsonNode> balloon(Arguments arguments) {
        long value = arguments.integer("value", 1, Long.MAX_VALUE);
        return vms.named(arguments).resize(value).thenApply(done -> Json.object());
    }

    private CompletableFuture<JsonNode> queryBalloon(Arguments arguments) {
        return vms.named(arguments).state().thenApply(state -> {
            VmState.Balloon balloon = state.balloon()
                    .orElseThrow(() -> QmpException.deviceNotActive("VM \"" + state.name() + "\" has no balloon"));
            if (balloon.memory() == 0) {
                throw QmpException.deviceNotActive("VM \"" + state.name() + "\" shares no memory: "
                        + (balloon.connected() ? "its driver has not started" : "no front-end is connected"));
            }
            ObjectNode answer = Json.object();
            putSizes(answer, balloon);
            return answer.put("memory", balloon.memory());
        });
    }

    private CompletableFuture<JsonNode> queryBalloonStats(Arguments arguments) {
        return vms.named(arguments).statistics().thenApply(Commands::describe);
    }

    private static ObjectNode describe(BalloonStatistics statistics) {
        ObjectNode answer = Json.object();
        ObjectNode stats = answer.putObject("stats");
        statistics.values().forEach((tag, value) -> stats.put(tag.qmpName(), value));
        return answer.put("last-update", statistics.lastUpdateSeconds());
    }

    private CompletableFuture<JsonNode> setBalloonStatsInterval(Arguments arguments) {
        int seconds = (int) arguments.integer("interval", 0, MAX_STATISTICS_INTERVAL);
        return vms.named(arguments).statisticsInterval(seconds).thenApply(done -> Json.object());
    }

    private CompletableFuture<JsonNode> freePageHint(Arguments arguments) {
        String word = arguments.text("action");
        HintAction action = switch (word) {
            case "start" -> HintAction.START;
            case "stop" -> HintAction.STOP;
            case "done" -> HintAction.DONE;
            default -> throw QmpException.generic("action \"" + word + "\" is none of start, stop, done");
        };
        return vms.named(arguments).hint(action).thenApply(done -> Json.object());
    }

    private CompletableFuture<JsonNode> queryFreePages(Arguments arguments) {
        return vms.named(arguments).freePages().thenApply(Commands::describe);
    }

    private CompletableFuture<JsonNode> pagesSubscribe(Arguments arguments) {
        Path socket = arguments.absolutePath("socket");
        return vms.named(arguments).sharePages(socket).thenApply(done -> Json.object());
    }

    private static ObjectNode describe(FreePages pages) {
        return Json.object()
                .put("state", pages.state().name().toLowerCase(Locale.ROOT))
                .put("command-id", Integer.toUnsignedLong(pages.commandId()))
                .put("hinted", pages.hintedBytes())
                .put("reported", pages.reportedBytes())
                .put("reports", pages.reports())
                .put("discarded", pages.discardedBytes())
                .put("ignored", Pages.bytes(pages.ignoredPages()));
    }

    /** Ends the process; called when the answer to {@code quit} is on its way. */
    void quitNow() {
        quit.run();
    }

    /** Refuses while a VMM is attached, or may be: for a VMM that does not connect again its devices would be gone. */
    private CompletableFuture<JsonNode> quit(Arguments arguments) {
        boolean force = arguments.flag("force", false);
        arguments.end();
        if (force) {
            return CompletableFuture.completedFuture(Json.object());
        }
        return vms.states().thenApply(states -> {
            List<String> attached = states.stream()
                    .filter(answer -> answer.state().map(VmState::connected).orElse(true))
                    .map(answer -> answer.vm().name() + (answer.state().isPresent() ? "" : " (does not answer)"))
                    .toList();
            if (!attached.isEmpty()) {
                throw QmpException.generic((attached.size() == 1 ? "a VMM is attached: " : "VMMs are attached: ")
                        + shortened(attached)
                        + "; a QEMU does not connect again, and its VM would lose its balloon and memory devices until"
                        + " it is started anew. \"exomem detach\" takes them out of a VM; \"force\": true (exomem quit"
                        + " --force) ends nevertheless");
            }
            return Json.object();
        });
    }

    private static String shortened(List<String> names) {
        String first = names.stream().limit(MOST_NAMES).collect(Collectors.joining(", "));
        return names.size() <= MOST_NAMES ? first : first + " and " + (names.size() - MOST_NAMES) + " more";
    }
}
