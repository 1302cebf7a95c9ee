package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.jspecify.annotations.Nullable;

/** {@code exomem mem}. */
final class MemCommand implements Command {
    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private String vm = "";
    private @Nullable String device;
    private @Nullable String size;
    private boolean wait;
    private @Nullable Integer timeout;
    private boolean cancel;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Shows a VM's memory devices, plugs memory into the guest, or unplugs it.",
                "A memory device is a range of guest memory that is unplugged at boot. The guest plugs as many of its"
                        + " blocks as you request, and unplugs them again. Unplugged memory belongs to the host."
                        + " Plugging is quick. Unplugging takes as long as the guest needs to empty blocks, and may"
                        + " stall. The job then shows the reason, and continues when it can.");
        usage.parameter("VM", "The VM's name.", Completion.VM, value -> vm = value);
        usage.optionalParameter(
                "DEVICE",
                "The device's id; may be left out if the VM has one device.",
                Completion.DEVICE,
                value -> device = value);
        usage.optionalParameter(
                "SIZE",
                "The size to plug, for example 4G, 512M or 0, in powers of 1024 and whole blocks. +SIZE and -SIZE are"
                        + " relative to the last requested size.",
                Completion.NOTHING,
                value -> size = value);
        usage.flag("--wait", "Waits until the guest has reached the size.", () -> wait = true);
        usage.seconds(
                "--timeout",
                "With --wait: fails after this long without progress (default: " + WaitLimit.USUAL + ").",
                value -> timeout = value);
        usage.flag("--cancel", "Cancels the running resize; the guest keeps its current size.", () -> cancel = true);
        outputOption.describe(usage);
        control.describe(usage);
        usage.section(
                "Examples",
                "  exomem mem web                  shows the VM's memory devices",
                "  exomem mem web 4G               requests 4 GiB, and returns at once",
                "  exomem mem web 4G --wait        the same, and waits until it is done",
                "  exomem mem web m1 +1G           1 GiB more than requested last, for device m1",
                "  exomem mem web m1 -1G           1 GiB less",
                "  exomem mem web m1 --cancel      cancels the resize of m1",
                "  exomem mem web m1 0 --wait      unplugs all of it");
    }

    @Override
    public int run(Streams streams) throws ConfigException, UsageException {
        Output output = outputOption.on(streams);
        if (size == null && device != null && !device.isEmpty() && !Character.isLetter(device.charAt(0))) {
            // Names of devices begin with a letter, sizes don't.
            size = device;
            device = null;
        }
        SizeChange change = size == null ? null : SizeChange.parse(size);
        if (cancel && (change != null || wait)) {
            throw new ConfigException("--cancel excludes a size and --wait");
        }
        Duration limit = WaitLimit.of(wait, timeout);
        return control.connect(session -> {
            if (cancel) {
                session.execute("job-cancel", Json.object().put("id", job(session)));
            }
            String job = change != null ? resize(session, change) : wait ? job(session) : null;
            if (wait && job != null) {
                String named = device == null ? vm : vm + " " + device;
                new MemWait(session, job, limit, output, "\"exomem mem " + named + " --cancel\"").run();
            } else if (change != null) {
                if (!only(session).path("connected").asBoolean()) {
                    output.note("no VMM is connected; the size is requested when one connects");
                }
                if (!output.isJson()) {
                    return ExitCode.OK;
                }
            }
            JsonNode shown = MemoryTable.of(session, vm, device);
            return output.show(shown, () -> MemoryTable.text(shown));
        });
    }

    private String resize(ControlOption.Session session, SizeChange change) throws IOException {
        long bytes = change.bytes();
        if (change.relative()) {
            long asked = only(session).path("requested-size").asLong();
            bytes = change.from(asked);
            if (bytes < 0) {
                throw new CommandFailure(
                        ExitCode.USAGE,
                        "VM \"" + vm + "\": the last requested size is " + ByteSize.format(asked)
                                + ", which can't be reduced by " + ByteSize.format(-change.bytes()));
            }
        }
        checkBlocks(session, bytes);
        ObjectNode about = Json.object().put("vm", vm).put("size", bytes);
        if (device != null) {
            about.put("id", device);
        }
        return session.execute("mem-resize", about).path("id").asText();
    }

    /** Checks the size here to give a message with units: the serving process knows only bytes. */
    private void checkBlocks(ControlOption.Session session, long bytes) throws IOException {
        JsonNode devices = MemoryTable.of(session, vm, device);
        long block = devices.path(0).path("data").path("block-size").asLong();
        if (devices.size() == 1 && block > 0 && bytes % block != 0) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    ByteSize.format(bytes) + " is not a multiple of the block size, " + ByteSize.format(block));
        }
    }

    /** The id of the last job of the device. */
    private String job(ControlOption.Session session) throws IOException {
        JsonNode job = only(session).path("job");
        if (job.isMissingNode()) {
            throw new CommandFailure(ExitCode.FAILED, "VM \"" + vm + "\": no resize was requested yet");
        }
        return job.path("id").asText();
    }

    private JsonNode only(ControlOption.Session session) throws IOException {
        JsonNode devices = MemoryTable.of(session, vm, device);
        if (devices.size() > 1) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    "VM \"" + vm + "\" has several memory devices; name one of "
                            + String.join(
                                    ", ",
                                    devices.valueStream()
                                            .map(found -> found.path("data")
                                                    .path("id")
                                                    .asText())
                                            .toList()));
        }
        return devices.path(0).path("data");
    }
}
