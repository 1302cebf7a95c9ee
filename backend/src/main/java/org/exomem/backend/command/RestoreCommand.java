package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.exomem.backend.image.Restore;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.exomem.images.manifest.ImageFolder;
import org.jspecify.annotations.Nullable;

/** {@code exomem restore}. */
final class RestoreCommand implements Command {
    /** A long limit, because the VMM may answer slowly, and is examined with several system calls. */
    private static final Duration PAGER_LIMIT = Duration.ofMinutes(1);

    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private final ReplaceOption replace = new ReplaceOption();
    private String folder = "";
    private @Nullable Path program;
    private boolean take;
    private boolean onDemand;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Restores a VM that \"exomem save\" saved.",
                "Starts its VMM with the same options as before, as the user of this command. Fills its RAM files from"
                        + " the image, which stays unchanged. With --take the VM runs on the image's own RAM files:"
                        + " it starts at once, and the image is used up.",
                "With --on-demand the VM runs at once. Its memory is loaded from the image when it is touched, and the"
                        + " rest in the background. The serving process (exomem serve --state DIR) does that, and"
                        + " must be allowed to attach to the VMM. Keep the image and a serving process until \"exomem"
                        + " pagers\" shows that all memory has arrived: without a serving process, the guest waits"
                        + " for its memory.",
                "Plugs in the devices that exomem serves for the VM, if a serving process runs.");
        usage.parameter("FOLDER", "The folder of the image.", Completion.FILE, value -> folder = value);
        usage.flag("--take", "Runs the VM on the image's RAM files instead of a copy.", () -> take = true);
        usage.flag("--on-demand", "Runs the VM before its memory is loaded.", () -> onDemand = true);
        usage.path(
                "--vmm", "PROGRAM", "The program of the VMM (default: the same as before).", value -> program = value);
        replace.describe(usage, "");
        outputOption.describeOwn(usage);
        control.describe(usage);
        usage.section(
                "Examples",
                "  exomem restore /var/lib/exomem/images/web",
                "  exomem restore /dev/shm/web --take",
                "  exomem restore /var/lib/exomem/images/web --on-demand",
                "  exomem restore images/web --replace disk.qcow2=copy.qcow2");
    }

    @Override
    public int run(Streams streams) throws UsageException {
        if (take && onDemand) {
            throw new UsageException("--take and --on-demand exclude each other");
        }
        Output output = outputOption.on(streams);
        Restore.Memory from = take ? Restore.Memory.TAKEN : onDemand ? Restore.Memory.ON_DEMAND : Restore.Memory.COPIED;
        Restore.Options options = new Restore.Options(from, Optional.ofNullable(program), replace.texts());
        try {
            ImageFolder image =
                    ImageFolder.open(Path.of(folder).toAbsolutePath().normalize());
            return restore(image, options, output);
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
    }

    private int restore(ImageFolder image, Restore.Options options, Output output) throws IOException {
        Restore.Result result;
        try (ProgressLine line = new ProgressLine("memory", image.manifest().ramBytes(), output)) {
            Restore restore = new Restore(image, options, (done, all) -> line.stepTo(done), output::note);
            try (InterruptTask _ = InterruptTask.of(restore::breakOff)) {
                result = restore.run(this::sockets, new Server());
            }
        }
        JsonNode json = Json.object()
                .put("vm", result.vm())
                .put("running", result.running())
                .put("time", result.time().toMillis());
        return output.show(
                json,
                () -> "VM \"" + result.vm() + "\" "
                        + (result.running() ? "runs" : "is paused, as it was when it was saved") + "; "
                        + result.time().toMillis() + " ms"
                        + (onDemand ? "; its memory is loaded on demand (see \"exomem pagers\")" : "") + "\n");
    }

    /** The serving process. */
    private final class Server implements Restore.Paging {
        @Override
        public void begin(String vm, Path image, Path qmp) throws IOException {
            control.ask(session -> session.execute(
                    "pager-start",
                    Json.object()
                            .put("vm", vm)
                            .put("image", image.toString())
                            .put("vmm-qmp", qmp.toAbsolutePath().toString()),
                    PAGER_LIMIT));
        }

        @Override
        public Optional<String> trouble(String vm) {
            List<String> reasons = new ArrayList<>();
            try {
                control.ask(session -> {
                    for (JsonNode pager : session.execute("query-pagers")) {
                        if (pager.path("vm").asText().equals(vm) && pager.has("reason")) {
                            reasons.add(pager.path("reason").asText());
                        }
                    }
                });
            } catch (IOException e) {
                reasons.add(String.valueOf(e.getMessage()));
            }
            return reasons.stream().findFirst();
        }
    }

    /** The sockets of the devices that exomem serves for a VM, by device name; empty if no process serves it. */
    private Map<String, Path> sockets(String vm) throws IOException {
        Map<String, Path> sockets = new HashMap<>();
        if (!Files.exists(control.socket())) {
            return sockets;
        }
        control.ask(session -> session.vm(vm)
                .path("sockets")
                .forEach(socket -> sockets.put(
                        socket.path("device").asText(),
                        Path.of(socket.path("path").asText()))));
        return sockets;
    }
}
