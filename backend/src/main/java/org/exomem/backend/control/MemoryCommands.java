package org.exomem.backend.control;

import static org.exomem.backend.control.Command.NOTHING;
import static org.exomem.backend.control.Type.COUNT;
import static org.exomem.backend.control.Type.FLAG;
import static org.exomem.backend.control.Type.TEXT;
import static org.exomem.backend.control.Type.choice;
import static org.exomem.backend.control.Type.list;
import static org.exomem.backend.control.Type.maybe;
import static org.exomem.backend.control.Type.object;
import static org.exomem.backend.control.Type.with;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpException;
import org.exomem.backend.qmp.WrittenJson;
import org.exomem.backend.vm.MemoryState;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.mem.ResizeJob;

/** The commands about memory devices, and the jobs that resize them; see {@code spec/control.md}. */
final class MemoryCommands {
    private static final String JOB_TYPE = "mem-resize";

    private final Vms vms;

    MemoryCommands(Vms vms) {
        this.vms = vms;
    }

    List<Command> all() {
        Type.Member device = maybe("id", TEXT);
        return List.of(
                Command.of("query-memory-devices", NOTHING, list(deviceType()), this::queryMemoryDevices),
                Command.of(
                        "mem-resize",
                        object(Commands.VM, device, with("size", COUNT)),
                        object(with("id", TEXT)),
                        this::resize),
                Command.of("mem-reset", object(Commands.VM, device), NOTHING, this::reset),
                Command.of(
                        "query-jobs", NOTHING, list(jobType(with("vm", TEXT), with("device", TEXT))), this::queryJobs),
                Command.of("job-cancel", object(with("id", TEXT)), NOTHING, this::cancel));
    }

    private static Type deviceType() {
        return object(
                with("type", choice("virtio-mem")),
                with(
                        "data",
                        object(
                                with("vm", TEXT),
                                with("id", TEXT),
                                with("memaddr", COUNT),
                                with("requested-size", COUNT),
                                with("size", COUNT),
                                with("max-size", COUNT),
                                with("usable-size", COUNT),
                                with("block-size", COUNT),
                                maybe("node", COUNT),
                                with("attachment", TEXT),
                                with("connected", FLAG),
                                maybe("job", jobType()),
                                maybe(
                                        "guard",
                                        object(
                                                with("action", choice("zero", "stop")),
                                                with("on", FLAG),
                                                maybe("reason", TEXT),
                                                with("writes", COUNT),
                                                with("reads", COUNT))),
                                with(
                                        "patrol",
                                        object(
                                                with("interval", COUNT),
                                                with("action", TEXT),
                                                with("rounds", COUNT),
                                                with("last-ns", COUNT),
                                                with("bytes", COUNT),
                                                with("blocks", COUNT))))));
    }

    private static Type jobType(Type.Member... more) {
        List<Type.Member> members = new ArrayList<>(List.of(
                with("id", TEXT),
                with("type", choice(JOB_TYPE)),
                with("status", choice("running", "stalled", "concluded")),
                with("current-progress", COUNT),
                with("total-progress", COUNT),
                with("requested", COUNT),
                with("plugged", COUNT),
                with("rate", COUNT),
                maybe("outcome", choice("done", "cancelled", "replaced")),
                maybe("reason", TEXT)));
        members.addAll(List.of(more));
        return object(members.toArray(Type.Member[]::new));
    }

    private CompletableFuture<JsonNode> queryMemoryDevices(Arguments arguments) {
        return devices()
                .thenApply(devices -> WrittenJson.of(array(devices.stream().map(MemoryCommands::describe))));
    }

    private CompletableFuture<JsonNode> queryJobs(Arguments arguments) {
        return devices()
                .thenApply(devices ->
                        array(devices.stream()
                                .flatMap(device -> device
                                        .job()
                                        .map(job -> describe(job)
                                                .put("vm", device.vm())
                                                .put("device", device.id()))
                                        .stream())));
    }

    private CompletableFuture<List<MemoryState>> devices() {
        return vms.states()
                .thenApply(states -> states.stream()
                        .flatMap(answer -> answer.state().stream())
                        .flatMap(vm -> vm.memory().stream())
                        .toList());
    }

    /** CTL-15 */
    private CompletableFuture<JsonNode> resize(Arguments arguments) {
        Optional<String> id = arguments.optionalText("id");
        long size = arguments.integer("size");
        return vms.named(arguments)
                .resizeMemory(id, size)
                .thenApply(job -> Json.object().put("id", job.id()));
    }

    /** CTL-14 */
    private CompletableFuture<JsonNode> reset(Arguments arguments) {
        Optional<String> id = arguments.optionalText("id");
        return vms.named(arguments).resetMemory(id).thenApply(done -> Json.object());
    }

    /** CTL-16 */
    private CompletableFuture<JsonNode> cancel(Arguments arguments) {
        String id = arguments.text("id");
        CompletableFuture<Boolean> found = CompletableFuture.completedFuture(false);
        for (VirtualMachine vm : vms.all()) {
            if (!id.startsWith(vm.name() + "/")) {
                continue;
            }
            found = found.thenCompose(before -> before ? CompletableFuture.completedFuture(true) : vm.cancelJob(id));
        }
        return found.thenApply(cancelled -> {
            if (!cancelled) {
                throw QmpException.generic("there is no job \"" + id + "\"; query-jobs lists them");
            }
            return Json.object();
        });
    }

    private static ArrayNode array(Stream<ObjectNode> nodes) {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        nodes.forEach(list::add);
        return list;
    }

    private static ObjectNode describe(MemoryState device) {
        ObjectNode node = Json.object().put("type", "virtio-mem");
        ObjectNode data = node.putObject("data");
        data.put("vm", device.vm())
                .put("id", device.id())
                .put("memaddr", device.plan().address())
                .put("requested-size", device.requested())
                .put("size", device.plugged())
                .put("max-size", device.plan().size())
                .put("usable-size", device.usable())
                .put("block-size", device.plan().blockSize());
        device.plan().node().ifPresent(number -> data.put("node", number));
        data.put("attachment", device.attachment()).put("connected", device.connected());
        device.job().ifPresent(job -> data.set("job", describe(job)));
        device.guard().ifPresent(guard -> data.set("guard", describe(guard)));
        MemoryState.Patrols patrol = device.patrol();
        data.putObject("patrol")
                .put("interval", patrol.seconds())
                .put("action", patrol.policy().word())
                .put("rounds", patrol.rounds())
                .put("last-ns", patrol.lastNanos())
                .put("bytes", patrol.bytes())
                .put("blocks", patrol.blocks());
        return node;
    }

    private static ObjectNode describe(MemoryState.Guarding guard) {
        ObjectNode node = Json.object().put("action", guard.policy().word()).put("on", guard.on());
        guard.reason().ifPresent(why -> node.put("reason", why));
        return node.put("writes", guard.writes()).put("reads", guard.reads());
    }

    private static ObjectNode describe(ResizeJob.State job) {
        long total = Math.abs(job.requested() - job.from());
        long rest = Math.min(total, Math.abs(job.requested() - job.plugged()));
        ObjectNode node = Json.object()
                .put("id", job.id())
                .put("type", JOB_TYPE)
                .put("status", word(job.status()))
                .put("current-progress", total - rest)
                .put("total-progress", total)
                .put("requested", job.requested())
                .put("plugged", job.plugged())
                .put("rate", job.rate());
        if (job.outcome() != null) {
            node.put("outcome", word(job.outcome()));
        }
        if (job.reason() != null) {
            node.put("reason", job.reason());
        }
        return node;
    }

    /** A status as it is on the control socket. */
    static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
