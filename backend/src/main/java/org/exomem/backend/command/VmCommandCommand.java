package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.recipe.DeviceRecipe;
import org.exomem.backend.recipe.LibvirtRecipe;
import org.exomem.backend.recipe.QemuRecipe;
import org.exomem.backend.recipe.Ram;
import org.exomem.backend.recipe.Ram.Mode;
import org.exomem.backend.recipe.RecipeException;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.exomem.images.ram.RamFiles;
import org.jspecify.annotations.Nullable;

/** {@code exomem vm command}. */
final class VmCommandCommand implements Command {
    private final ControlOption control = new ControlOption();
    private String vm = "";
    private @Nullable Path ram;
    private @Nullable String size;
    private String name = RamOptions.STANDARD_NAME;
    private Mode mode = Mode.OPEN;
    private boolean shared = true;
    private boolean preallocated;
    private boolean fallback;
    private boolean anyFileSystem;
    private boolean json;
    private boolean words;
    private boolean libvirt;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Prints the QEMU options for a VM that exomem serves.",
                "The options are for its RAM in named files, its balloon and memory devices, each behind a root port"
                        + " so that it can be unplugged, and its QMP socket. Add the rest of the VM (disks, network,"
                        + " accelerator). Needs QEMU 10.2 or later. Notes on what else to do go to stderr.");
        usage.parameter("VM", "The VM's name.", Completion.VM, value -> vm = value);
        usage.path(
                "--ram",
                "DIR",
                "The folder with the VM's RAM files; without it the RAM is not in a named file.",
                value -> ram = value);
        usage.option(
                "--size",
                "SIZE",
                "The RAM that the guest boots with, without its memory devices (default: the size of the files).",
                Completion.NOTHING,
                value -> size = value);
        usage.option(
                "--name",
                "NAME",
                "The id of the memory back-end, if there is no RAM file with an id (default: ram).",
                Completion.NOTHING,
                value -> name = value);
        usage.choice(
                "--mode",
                "open: the RAM files exist already; create: QEMU creates them; temp: QEMU creates them and removes"
                        + " their names at once (default: open).",
                Mode.class,
                value -> mode = value);
        usage.flag(
                "--private",
                "Maps the RAM files privately: the guest's writes do not reach the files.",
                () -> shared = false);
        usage.flag(
                "--prealloc",
                "QEMU allocates all of the host's memory at its start, so that no allocation can fail while the guest"
                        + " runs.",
                () -> preallocated = true);
        usage.flag(
                "--fallback",
                "If the RAM files can't be used, prints options for memory without a named file instead of an error.",
                () -> fallback = true);
        usage.flag(
                "--any-fs",
                "Does not warn about a file system that is slower than memory.",
                () -> anyFileSystem = true);
        usage.flag("--words", "Prints one word per line, for a script.", () -> words = true);
        usage.flag("--json", "Prints a list of words as JSON.", () -> json = true);
        usage.flag("--libvirt", "Prints a libvirt domain instead of options.", () -> libvirt = true);
        control.describe(usage);
        usage.section(
                "Examples",
                "  exomem ram create /dev/shm/web --size 8G",
                "  exomem vm command web --ram /dev/shm/web",
                "  mapfile -t options < <(exomem vm command web --ram /dev/shm/web --words)",
                "  qemu-system-x86_64 \"${options[@]}\" -accel kvm -drive …");
    }

    @Override
    public int run(Streams streams) throws UsageException {
        if ((json ? 1 : 0) + (words ? 1 : 0) + (libvirt ? 1 : 0) > 1) {
            throw new UsageException("--json, --words and --libvirt exclude each other");
        }
        Ram wanted = new Ram(Optional.ofNullable(ram), mode, boot(), name, shared, preallocated, fallback);
        return control.connect(session -> {
            JsonNode devices = session.execute("query-vm-devices", Json.object().put("vm", vm));
            try {
                print(streams, DeviceRecipe.Vm.of(vm, devices), wanted);
            } catch (RecipeException | IOException e) {
                throw new CommandFailure(ExitCode.FAILED, e);
            }
            return ExitCode.OK;
        });
    }

    private Optional<Long> boot() throws UsageException {
        if (size == null) {
            return Optional.empty();
        }
        try {
            return Optional.of(ByteSize.parse(size));
        } catch (ConfigException e) {
            throw new UsageException("--size: " + e.getMessage());
        }
    }

    private void print(Streams streams, DeviceRecipe.Vm served, Ram wanted) throws RecipeException, IOException {
        List<String> notes;
        if (libvirt) {
            LibvirtRecipe recipe = LibvirtRecipe.of(served, wanted);
            streams.out().print(recipe.xml());
            notes = recipe.notes();
        } else {
            QemuRecipe recipe = QemuRecipe.of(served, wanted);
            streams.out().print(text(recipe));
            notes = recipe.notes();
        }
        streams.out().flush();
        if (ram != null && !anyFileSystem) {
            RamFiles.in(ram).fileSystem().warning(ram).ifPresent(streams::note);
        }
        notes.forEach(streams::note);
    }

    private String text(QemuRecipe recipe) {
        if (json) {
            ArrayNode list = JsonNodeFactory.instance.arrayNode();
            recipe.words().forEach(list::add);
            return Json.pretty(list) + "\n";
        }
        return words ? String.join("\n", recipe.words()) + "\n" : recipe.forShell();
    }
}
