package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpException;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.jspecify.annotations.Nullable;

/** The common part of {@code exomem detach} and {@code exomem attach}: a control command for one VM, or for all of them. */
abstract class ReplugCommand implements Command {
    /**
     * Enough for many devices: a guest's driver releases each one within half a minute, or the VMM plugs it in again in
     * another half.
     */
    private static final Duration LIMIT = Duration.ofMinutes(10);

    /** The most VMs at the same time. */
    private static final int AT_ONCE = 256;

    private final ControlOption control = new ControlOption();
    private final String command;
    private final String done;
    private @Nullable String vm;
    private @Nullable String vmmQmp;
    private boolean all;

    /**
     * @param command of the control socket
     * @param done the word for what was done to a device, for people
     */
    ReplugCommand(String command, String done) {
        this.command = command;
        this.done = done;
    }

    /** Describes the common options. */
    final void describeCommon(Usage usage) {
        usage.optionalParameter("VM", "The VM's name.", Completion.VM, value -> vm = value);
        usage.flag("--all", "All VMs: reports the result of each, and continues if one fails.", () -> all = true);
        usage.option(
                "--vmm-qmp",
                "PATH",
                "The QMP socket of the VM's VMM (default: vmm-qmp= of the VM's devices).",
                Completion.FILE,
                value -> vmmQmp = value);
        control.describe(usage);
    }

    /** Whether the command applies to this VM when it is used for all. */
    abstract boolean isFor(JsonNode known);

    /** The message if nothing was done to the one VM that was named. */
    abstract String nothing(String name);

    @Override
    public final int run(Streams streams) throws UsageException {
        if (all == (vm != null)) {
            throw new UsageException(all ? "VM and --all exclude each other" : "VM or --all is missing");
        }
        if (all && vmmQmp != null) {
            throw new UsageException("--vmm-qmp and --all exclude each other");
        }
        if (vmmQmp != null && vmmQmp.isEmpty()) {
            throw new UsageException("--vmm-qmp: the path is empty");
        }
        return control.connect(session -> {
            int exitCode = vm != null ? one(session, vm, streams) : all(session, streams);
            if (exitCode == ExitCode.OK) {
                finish(session);
            }
            return exitCode;
        });
    }

    /** The last step, when all VMs are done. */
    void finish(ControlOption.Session session) throws IOException {}

    private int one(ControlOption.Session session, String name, Streams streams) throws IOException {
        List<String> devices = replug(session, name);
        if (devices.isEmpty()) {
            throw new CommandFailure(ExitCode.FAILED, nothing(name));
        }
        streams.out().println(name + ": " + done + " " + String.join(", ", devices));
        return ExitCode.OK;
    }

    /**
     * In parallel, each VM over a connection of its own: a guest takes seconds to release a device, and no VM should be
     * without its device while the command waits for others.
     */
    private int all(ControlOption.Session session, Streams streams) throws IOException {
        List<String> names = new ArrayList<>();
        for (JsonNode known : session.execute("query-vms")) {
            if (isFor(known)) {
                names.add(known.path("name").asText());
            }
        }
        if (names.isEmpty()) {
            return ExitCode.OK;
        }
        try (ExecutorService workers = Executors.newFixedThreadPool(Math.min(names.size(), AT_ONCE))) {
            List<Future<List<String>>> answers = names.stream()
                    .map(name -> workers.submit(() -> byItself(name)))
                    .toList();
            int exitCode = ExitCode.OK;
            for (int i = 0; i < names.size(); i++) {
                exitCode = Math.max(exitCode, tell(names.get(i), answers.get(i), streams));
            }
            return exitCode;
        }
    }

    private List<String> byItself(String name) {
        List<String> devices = new ArrayList<>();
        control.connect(own -> {
            devices.addAll(replug(own, name));
            return ExitCode.OK;
        });
        return devices;
    }

    private int tell(String name, Future<List<String>> answer, Streams streams) throws IOException {
        try {
            List<String> devices = answer.get();
            if (!devices.isEmpty()) {
                streams.out().println(name + ": " + done + " " + String.join(", ", devices));
            }
            return ExitCode.OK;
        } catch (ExecutionException e) {
            if (e.getCause() instanceof CommandFailure failure) {
                String why = String.valueOf(failure.getMessage());
                streams.note(why.startsWith("VM \"" + name + "\"") ? why : name + ": " + why);
                return ExitCode.FAILED;
            }
            throw new IOException(name + ": " + e.getCause(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException();
        }
    }

    private List<String> replug(ControlOption.Session session, String name) throws IOException {
        ObjectNode arguments = Json.object().put("vm", name);
        if (vmmQmp != null) {
            // The server may run in another folder.
            arguments.put("vmm-qmp", Path.of(vmmQmp).toAbsolutePath().toString());
        }
        try {
            List<String> devices = new ArrayList<>();
            session.client()
                    .execute(command, arguments, LIMIT)
                    .path("devices")
                    .forEach(device -> devices.add(device.asText()));
            return devices;
        } catch (QmpException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
    }
}
