package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
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
import org.exomem.images.manifest.ImageFolder;
import org.jspecify.annotations.Nullable;

/** {@code exomem restore}. */
final class RestoreCommand implements Command {
    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private final ReplaceOption replace = new ReplaceOption();
    private String folder = "";
    private @Nullable Path program;
    private boolean take;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Runs a VM again that \"exomem save\" has saved.",
                "Starts its VMM, as the user of this command, with the options that it had. Its RAM files are filled"
                        + " from the image, which stays as it is. With --take the VM runs on the image's own RAM files:"
                        + " it is there at once, and the image is used up.",
                "Devices that exomem serves for the VM are plugged in again, if a process that serves it is there.");
        usage.parameter("FOLDER", "The image.", Completion.FILE, value -> folder = value);
        usage.flag("--take", "Runs the VM on the image's RAM files, in place of a copy.", () -> take = true);
        usage.path(
                "--vmm", "PROGRAM", "The program of the VMM (default: the one that it was).", value -> program = value);
        replace.describe(usage, "");
        outputOption.describe(usage);
        control.describe(usage);
        usage.section(
                "Examples",
                "  exomem restore /var/lib/exomem/images/web",
                "  exomem restore /dev/shm/web --take",
                "  exomem restore images/web --replace disk.qcow2=copy.qcow2");
    }

    @Override
    public int run(Streams streams) {
        Output output = outputOption.on(streams);
        Restore.Options options = new Restore.Options(take, Optional.ofNullable(program), replace.texts());
        try {
            ImageFolder image =
                    ImageFolder.open(Path.of(folder).toAbsolutePath().normalize());
            return restore(image, options, output);
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, String.valueOf(e.getMessage()));
        }
    }

    private int restore(ImageFolder image, Restore.Options options, Output output) throws IOException {
        Restore.Result result;
        try (ProgressLine line = new ProgressLine("memory", image.manifest().ramBytes(), output)) {
            result = new Restore(image, options, (done, all) -> line.stepTo(done), output::note).run(this::sockets);
        }
        JsonNode json = Json.object()
                .put("vm", result.vm())
                .put("running", result.running())
                .put("time", result.time().toMillis());
        return output.show(
                json,
                () -> "VM \"" + result.vm() + "\" "
                        + (result.running() ? "runs" : "is paused, as it was when it was saved") + "; "
                        + result.time().toMillis() + " ms\n");
    }

    /** The sockets of the devices that exomem serves for a VM, by their names; none if no process serves it. */
    private Map<String, Path> sockets(String vm) {
        Map<String, Path> sockets = new HashMap<>();
        if (!Files.exists(control.socket())) {
            return sockets;
        }
        control.connect(session -> {
            JsonNode known = session.vm(vm);
            known.path("sockets")
                    .forEach(socket -> sockets.put(
                            socket.path("device").asText(),
                            Path.of(socket.path("path").asText())));
            return ExitCode.OK;
        });
        return sockets;
    }
}
