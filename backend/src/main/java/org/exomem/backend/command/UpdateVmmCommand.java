package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.exomem.backend.launch.SuccessorNames;
import org.exomem.backend.launch.VmmCommandLine;
import org.exomem.backend.launch.VmmLaunch;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.update.Renamed;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.jspecify.annotations.Nullable;

/** {@code exomem update-vmm}. */
final class UpdateVmmCommand implements Command {
    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private String vm = "";
    private @Nullable Path vmmQmp;
    private @Nullable Path program;
    private @Nullable Path to;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Replaces the VMM of a running VM with a new process, such as a newer QEMU.",
                "The guest's memory stays in place, so the pause is as short for a large VM as for a small one. This"
                        + " command starts the new VMM, as its own user, with the options of the running one. The"
                        + " devices that exomem serves are unplugged, and plugged into the new VMM. If anything fails"
                        + " before the guest runs in the new VMM, it continues in the old one.",
                "The VM's RAM must be a named file (-object memory-backend-file,share=on,…), and vmm-qmp= must name"
                        + " its QMP socket. Sockets on which the VMM listens get their old names back when the old"
                        + " VMM has ended.");
        usage.parameter("VM", "The VM's name.", Completion.VM, value -> vm = value);
        usage.path(
                "--vmm",
                "PROGRAM",
                "The program of the new VMM (default: that of the running one).",
                value -> program = value);
        usage.path(
                "--to",
                "PATH",
                "The QMP socket of a VMM that you started yourself, with -incoming defer and the same RAM files."
                        + " Starts no VMM, and renames no sockets.",
                value -> to = value);
        usage.path(
                "--vmm-qmp",
                "PATH",
                "The QMP socket of the running VMM. Needed only if \"exomem serve\" does not know it (vmm-qmp=).",
                value -> vmmQmp = value);
        outputOption.describe(usage);
        control.describe(usage);
        usage.section(
                "Examples",
                "  exomem update-vmm web",
                "  exomem update-vmm web --vmm /opt/qemu-11.2/bin/qemu-system-x86_64");
    }

    @Override
    public int run(Streams streams) throws UsageException {
        Output output = outputOption.on(streams);
        if (to != null && program != null) {
            throw new UsageException("--to and --vmm exclude each other: --to names a VMM that already runs");
        }
        return control.connect(session -> {
            if (to != null) {
                return update(session, output, to.toAbsolutePath(), List.of());
            }
            return updateToNew(session, output);
        });
    }

    private int updateToNew(ControlOption.Session session, Output output) throws IOException {
        Running running = ofVmm(() -> running(session));
        List<Path> places = new ArrayList<>(running.line().places());
        if (places.stream().noneMatch(place -> running.folder().resolve(place).equals(running.qmp()))) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    "the VMM of VM \"" + vm + "\" was not started with its QMP socket " + running.qmp()
                            + " as an option; start the new one yourself and name it with --to");
        }
        SuccessorNames names = running.names();
        VmmCommandLine line = running.line().movingPlaces(names::meanwhile);
        if (program != null) {
            line = line.withProgram(program.toAbsolutePath());
        }
        Path qmp = names.meanwhile(running.qmp());
        places.replaceAll(running.folder()::resolve);
        VmmCommandLine next = line;
        ofVmm(() -> {
            VmmLaunch.start(next, running.folder());
            return next;
        });
        try {
            return update(session, output, qmp, renamed(places, names));
        } catch (IOException | RuntimeException e) {
            end(qmp, renamed(places, names), e);
            throw e;
        }
    }

    /** What a VMM is asked, or one that starts. */
    private interface OfVmm<T> {
        T get() throws IOException;
    }

    /** What goes wrong with a VMM is no fault of the control socket's. */
    private static <T> T ofVmm(OfVmm<T> question) {
        try {
            return question.get();
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
    }

    /**
     * A VMM that runs.
     *
     * @param qmp absolute
     * @param folder to which relative paths in its options refer
     * @param line the command line of its successor, with the present names of sockets and files
     * @param names of the successor's sockets and files
     */
    private record Running(Path qmp, Path folder, VmmCommandLine line, SuccessorNames names) {}

    private Running running(ControlOption.Session session) throws IOException {
        JsonNode known = session.known(vm);
        if (vmmQmp == null && !known.has("vmm-qmp")) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    "the QMP socket of the VMM of VM \"" + vm + "\" is not known: name it with --vmm-qmp");
        }
        Path qmp = vmmQmp != null
                ? vmmQmp.toAbsolutePath()
                : Path.of(known.path("vmm-qmp").asText());
        int pid;
        try (QmpVmm vmm = QmpVmm.connect(qmp)) {
            pid = vmm.pid();
        }
        if (pid <= 0) {
            throw new CommandFailure(
                    ExitCode.FAILED, "the process that listens on " + qmp + " can't be seen from here");
        }
        List<Path> sockets = new ArrayList<>();
        known.path("sockets")
                .forEach(socket -> sockets.add(Path.of(socket.path("path").asText())));
        VmmCommandLine line = VmmCommandLine.of(pid);
        line.obstacle().ifPresent(why -> {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    "no second VMM can be started with the options of VM \"" + vm + "\": " + why
                            + "; start one yourself and name it with --to");
        });
        return new Running(
                qmp,
                Files.readSymbolicLink(Path.of("/proc", Integer.toString(pid), "cwd")),
                line.forAnother(sockets),
                SuccessorNames.after(line.places()));
    }

    private static List<Renamed> renamed(List<Path> places, SuccessorNames names) {
        return places.stream()
                .map(place -> new Renamed(names.meanwhile(place), place))
                .toList();
    }

    private int update(ControlOption.Session session, Output output, Path qmp, List<Renamed> renamed)
            throws IOException {
        ObjectNode request = Json.object().put("vm", vm).put("to", qmp.toString());
        if (vmmQmp != null) {
            request.put("vmm-qmp", vmmQmp.toAbsolutePath().toString());
        }
        ArrayNode list = request.putArray("renamed");
        renamed.forEach(one -> list.addObject()
                .put("from", one.from().toString())
                .put("to", one.to().toString()));
        session.execute("vmm-update", request);
        return new MigrationWatch(session, vm, output).untilOver("the update continues");
    }

    /** Ends the new VMM. The guest runs on in the old one. */
    private static void end(Path qmp, List<Renamed> renamed, Throwable because) {
        try (QmpVmm vmm = QmpVmm.connect(qmp)) {
            // A VMM in which the guest may run must not be ended.
            if (!vmm.isRunning()) {
                vmm.quit();
                for (Renamed one : renamed) {
                    Files.deleteIfExists(one.from());
                }
            }
        } catch (IOException e) {
            because.addSuppressed(e);
        }
    }
}
