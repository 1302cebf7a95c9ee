package org.exomem.backend.control;

import static org.exomem.backend.control.Command.NOTHING;
import static org.exomem.backend.control.Type.ANY;
import static org.exomem.backend.control.Type.COUNT;
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
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiFunction;
import org.exomem.backend.config.Attachment;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.DeviceArguments;
import org.exomem.backend.config.DeviceConfig;
import org.exomem.backend.config.MemoryConfig;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpException;

/**
 * The commands that change which VMs are served and attached, and that return how they are served (CTL-31, CTL-32, CTL-34,
 * CTL-37); see {@code spec/control.md}.
 */
final class ProcessCommands {
    private static final String BALLOON = "balloon";
    private static final String MEMORY = "virtio-mem";
    private static final String LISTEN = "listen";
    private static final String CONNECT = "connect";
    private static final String INHERITED = "inherited";
    private static final String VMM_PID = "vmm-pid";
    private static final String TEMPLATE = "template";

    private final ProcessControl process;
    private final SlowWork slowWork;

    ProcessCommands(ProcessControl process, SlowWork slowWork) {
        this.process = process;
        this.slowWork = slowWork;
    }

    List<Command> all() {
        Type.Structure vm = object(with("vm", TEXT), maybe("vmm-qmp", TEXT));
        Type.Structure devices = object(with("devices", list(TEXT)));
        Type kept = list(object(with("vm", TEXT), with("device", TEXT), with("reason", TEXT)));
        return List.of(
                Command.of(
                        "vm-add",
                        // The options of devices are checked by the same code as those of the command line and the
                        // file.
                        object(
                                maybe("balloons", list(ANY)),
                                maybe("mems", list(ANY)),
                                maybe(VMM_PID, whole(1, Integer.MAX_VALUE)),
                                maybe(TEMPLATE, TEXT)),
                        NOTHING,
                        this::add),
                Command.of(
                        "vm-remove",
                        object(with("vm", TEXT), maybe("device", TEXT)),
                        object(with("kept", kept)),
                        this::remove),
                Command.of("query-vm-devices", object(with("vm", TEXT)), list(deviceType()), this::devices),
                Command.of("vm-detach", vm, devices, arguments -> names(process::detach, arguments)),
                Command.of("vm-attach", vm, devices, arguments -> names(process::attach, arguments)));
    }

    private static Type deviceType() {
        return object(
                with("id", TEXT),
                with("type", choice(BALLOON, MEMORY)),
                with("attachment", choice(LISTEN, CONNECT, INHERITED)),
                maybe("socket", TEXT),
                maybe("vmm-qmp", TEXT),
                maybe("memaddr", COUNT),
                maybe("size", COUNT),
                maybe("block-size", COUNT),
                maybe("node", COUNT));
    }

    private CompletableFuture<JsonNode> devices(Arguments arguments) {
        return process.config(arguments.text("vm")).thenApply(config -> {
            ArrayNode list = JsonNodeFactory.instance.arrayNode();
            config.devices().forEach(device -> describe(device, list.addObject()));
            return list;
        });
    }

    private static void describe(DeviceConfig device, ObjectNode answer) {
        answer.put("id", device.id());
        answer.put("type", device instanceof MemoryConfig ? MEMORY : BALLOON);
        answer.put(
                "attachment",
                switch (device.attachment()) {
                    case Attachment.Listen _ -> LISTEN;
                    case Attachment.Connect _ -> CONNECT;
                    case Attachment.Inherited _ -> INHERITED;
                });
        device.attachment().path().ifPresent(path -> answer.put("socket", path.toString()));
        device.vmmQmp().ifPresent(path -> answer.put("vmm-qmp", path.toString()));
        if (device instanceof MemoryConfig memory) {
            answer.put("memaddr", memory.plan().address());
            answer.put("size", memory.plan().size());
            answer.put("block-size", memory.plan().blockSize());
            memory.plan().node().ifPresent(node -> answer.put("node", node));
        }
    }

    /** On the thread for slow work: options may name a group, which may need a directory service. */
    private CompletableFuture<JsonNode> add(Arguments arguments) {
        Optional<ProcessControl.Clone> clone = arguments
                .optionalInteger(VMM_PID)
                .map(pid -> new ProcessControl.Clone((int) (long) pid, arguments.optionalPath(TEMPLATE)));
        if (clone.isEmpty() && arguments.optionalText(TEMPLATE).isPresent()) {
            throw QmpException.generic("argument \"" + TEMPLATE + "\" requires \"" + VMM_PID + "\"");
        }
        ObjectNode devices = arguments.all().deepCopy();
        devices.remove(List.of(VMM_PID, TEMPLATE));
        return slowWork.run("read the options", () -> read(devices))
                .thenCompose(config -> process.add(config, clone))
                .thenApply(done -> Json.object());
    }

    private static ServeConfig read(ObjectNode devices) {
        try {
            return DeviceArguments.read(devices);
        } catch (ConfigException e) {
            throw QmpException.generic(String.valueOf(e.getMessage()));
        }
    }

    private CompletableFuture<JsonNode> remove(Arguments arguments) {
        return process.remove(arguments.text("vm"), arguments.optionalText("device"))
                .thenApply(ProcessCommands::describe);
    }

    private static CompletableFuture<JsonNode> names(
            BiFunction<String, Optional<Path>, CompletableFuture<List<String>>> task, Arguments arguments) {
        return task.apply(arguments.text("vm"), arguments.optionalPath("vmm-qmp"))
                .thenApply(devices -> {
                    ObjectNode answer = Json.object();
                    ArrayNode list = answer.putArray("devices");
                    devices.forEach(list::add);
                    return answer;
                });
    }

    private static ObjectNode describe(List<ProcessControl.Kept> kept) {
        ObjectNode answer = Json.object();
        ArrayNode list = answer.putArray("kept");
        kept.forEach(device -> list.addObject()
                .put("vm", device.vm())
                .put("device", device.device())
                .put("reason", device.reason()));
        return answer;
    }
}
