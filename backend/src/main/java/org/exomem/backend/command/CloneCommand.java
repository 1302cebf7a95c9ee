package org.exomem.backend.command;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.exomem.backend.control.SocketPath;
import org.exomem.backend.migrate.MovedDevices;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.template.CheckedTemplate;
import org.exomem.backend.template.CloneOptions;
import org.exomem.backend.template.Cloning;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.exomem.cli.text.Table;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.signature.CheckingKey;
import org.exomem.mem.MemoryRegionPlan;
import org.jspecify.annotations.Nullable;

/** {@code exomem clone}. */
final class CloneCommand implements Command {
    private static final int MOST = 1000;
    private static final String BALLOON = "balloon";

    private final OutputOption outputOption = new OutputOption();
    private final ControlOption control = new ControlOption();
    private final TemplatesOption templates = new TemplatesOption();
    private final ReplaceOption replace = new ReplaceOption();
    private String template = "";
    private @Nullable Integer count;
    private int prepare;
    private boolean serve;
    private @Nullable Path trust;
    private @Nullable Path program;
    private @Nullable Path folder;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Starts VMs from a template; each continues from the saved state.",
                "They share all pages of memory that they do not write. This command starts their VMMs, as its own"
                        + " user, with the options of the template's VMM. Each clone has its own folder with its"
                        + " sockets and logs.",
                "Use --replace for what two VMs must not share, such as a writable disk or a network. A guest with a"
                        + " vmgenid device gets a new generation ID.");
        usage.parameter("TEMPLATE", "The template's name.", Completion.NOTHING, value -> template = value);
        usage.number("--count", "N", "The number of clones (default: 1).", 1, MOST, value -> count = value);
        usage.number(
                "--prepare",
                "N",
                "Starts no clones, but N VMMs that wait for clones. Later clones use them, and save the time that a"
                        + " VMM takes to start. A clone uses only a VMM that was started with the same --vmm,"
                        + " --replace and --folder. Each waiting VMM takes about 30 MiB.",
                1,
                MOST,
                value -> prepare = value);
        usage.flag(
                "--serve",
                "The process on the control socket serves the devices of the template's VM for each clone, under the"
                        + " clone's name.",
                () -> serve = true);
        replace.describe(usage, " {n} in NEW is the clone's number, {name} its name.");
        usage.path(
                "--trust",
                "FILE",
                "Refuses a template that is not signed with the secret key of this public key.",
                value -> trust = value);
        usage.path("--vmm", "PROGRAM", "The program of the VMMs (default: the template's).", value -> program = value);
        usage.path(
                "--folder",
                "FOLDER",
                "The folder in which each clone gets its own folder (default: exomem-clones next to the control"
                        + " socket).",
                value -> folder = value);
        templates.describe(usage);
        control.describe(usage);
        outputOption.describeOwn(usage);
        usage.section(
                "Examples",
                "  exomem clone web-1.4 --count 20 --trust /etc/exomem/keys/template-key.pub",
                "  exomem clone web-1.4 --replace web.qcow2=web-{n}.qcow2",
                "  exomem clone web-1.4 --count 2 --serve",
                "  exomem clone web-1.4 --replace web.qcow2=web-{n}.qcow2 --prepare 5");
    }

    @Override
    public int run(Streams streams) throws UsageException {
        if (count != null && prepare > 0) {
            throw new UsageException("--prepare and --count exclude each other: --prepare starts no clones");
        }
        Output output = outputOption.on(streams);
        Path own = folder != null
                ? folder.toAbsolutePath().normalize()
                : SocketPath.ofUser().resolveSibling("exomem-clones");
        if (serve) {
            // Checks the connection before anything is started.
            control.connect(session -> ExitCode.OK);
        }
        try {
            ImageFolder image = templates.templates().open(template);
            CheckedTemplate.check(image, trust == null ? Optional.empty() : Optional.of(CheckingKey.read(trust)));
            Cloning cloning = new Cloning(
                    template,
                    image,
                    new CloneOptions(
                            own,
                            Optional.ofNullable(program),
                            replace.texts(),
                            serve
                                    ? Optional.of((clone, in, qmp, pid, devices) ->
                                            serve(image, clone, in, qmp, pid, devices))
                                    : Optional.empty()));
            List<Cloning.Outcome> outcomes =
                    prepare > 0 ? cloning.prepare(prepare) : cloning.start(count == null ? 1 : count);
            if (!output.isJson() && prepare == 0) {
                cloning.notes().forEach(output::note);
                outcomes.stream()
                        .flatMap(outcome -> outcome.running().stream())
                        .forEach(clone -> clone.notes().forEach(note -> output.note(clone.name() + ": " + note)));
            }
            output.show(json(outcomes), () -> table(outcomes));
            return told(outcomes);
        } catch (IllegalArgumentException e) {
            throw new UsageException(String.valueOf(e.getMessage()));
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
    }

    private Map<String, Path> serve(ImageFolder image, String clone, Path in, Path qmp, int pid, MovedDevices devices)
            throws IOException {
        ObjectNode arguments = Json.object()
                .put("vmm-pid", pid)
                .put("template", image.folder().toAbsolutePath().toString());
        Map<String, Path> sockets = new HashMap<>();
        for (String name : devices.devices().keySet()) {
            Path socket = in.resolve(name + ".sock");
            MemoryRegionPlan region = devices.regions().get(name);
            if (name.equals(BALLOON)) {
                ObjectNode balloon = arguments.withArray("balloons").addObject();
                balloon.put("vm", clone).put("socket", socket.toString()).put("vmm-qmp", qmp.toString());
                devices.target().ifPresent(bytes -> balloon.put("size", bytes));
            } else if (region != null) {
                ObjectNode mem = arguments.withArray("mems").addObject();
                mem.put("vm", clone)
                        .put("id", name)
                        .put("socket", socket.toString())
                        .put("vmm-qmp", qmp.toString());
                mem.put("addr", region.address()).put("size", region.size()).put("block", region.blockSize());
                region.node().ifPresent(node -> mem.put("node", node));
            } else {
                continue;
            }
            sockets.put(name, socket);
        }
        if (!sockets.isEmpty()) {
            control.ask(session -> session.execute("vm-add", arguments));
        }
        return sockets;
    }

    private static int told(List<Cloning.Outcome> outcomes) {
        List<String> faults = new ArrayList<>();
        for (Cloning.Outcome outcome : outcomes) {
            outcome.fault()
                    .ifPresent(fault -> faults.add((outcome.name().isEmpty() ? "" : outcome.name() + ": ") + fault));
        }
        if (!faults.isEmpty()) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    (outcomes.size() == 1
                                    ? "the clone does not run: "
                                    : faults.size() + " of " + outcomes.size() + " clones do not run; the first: ")
                            + faults.getFirst());
        }
        return ExitCode.OK;
    }

    private static String table(List<Cloning.Outcome> outcomes) {
        Table table = new Table("CLONE", ">PID", ">RUNS AFTER", "QMP");
        for (Cloning.Outcome outcome : outcomes) {
            if (outcome.running().isEmpty() && outcome.fault().isEmpty()) {
                table.add(outcome.name(), "", "waiting", "");
            }
            outcome.running()
                    .ifPresent(clone -> table.add(
                            clone.name(),
                            Integer.toString(clone.pid()),
                            clone.time().toMillis() + " ms",
                            clone.qmp().toString()));
        }
        return table.toString();
    }

    private static ObjectNode json(List<Cloning.Outcome> outcomes) {
        ObjectNode json = Json.object();
        ArrayNode list = json.putArray("clones");
        for (Cloning.Outcome outcome : outcomes) {
            ObjectNode one = list.addObject().put("name", outcome.name());
            outcome.running().ifPresent(clone -> {
                one.put("pid", clone.pid())
                        .put("qmp", clone.qmp().toString())
                        .put("time-us", clone.time().toNanos() / 1000);
                if (!clone.notes().isEmpty()) {
                    clone.notes().forEach(one.putArray("notes")::add);
                }
            });
            outcome.fault().ifPresent(fault -> one.put("fault", fault));
        }
        return json;
    }
}
