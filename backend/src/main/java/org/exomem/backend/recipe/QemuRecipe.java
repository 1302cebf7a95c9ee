package org.exomem.backend.recipe;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import org.exomem.images.ram.RamBlock;

/**
 * The options with which QEMU runs a VM that exomem serves: its RAM, its devices, each behind a root port so that it can be
 * unplugged, and its QMP socket. For a q35 machine, and QEMU 10.2 or later.
 *
 * @param options in the order of the command line
 * @param notes for the user
 */
public record QemuRecipe(List<Option> options, List<String> notes) {
    private static final String DEVICE = "vhost-user-test-device-pci";
    /** Chassis numbers from here on are rarely used. */
    private static final int FIRST_CHASSIS = 224;

    private static final int BALLOON = 5;
    private static final int MEMORY = 24;
    /** Inflate, deflate, statistics, hints, reports, bitmaps. */
    private static final int BALLOON_QUEUES = 6;

    private static final int QUEUE_SIZE = 128;
    private static final int BALLOON_CONFIG = 16;
    private static final int MEMORY_CONFIG = 56;

    public QemuRecipe {
        options = List.copyOf(options);
        notes = List.copyOf(notes);
    }

    /**
     * An option with its value.
     *
     * @param name with its dash
     */
    public record Option(String name, String value) {}

    /**
     * Returns the options for a VM.
     *
     * @throws RecipeException if the VM can't run with such options
     * @throws IOException if the RAM files don't fit, or the file system refuses
     */
    public static QemuRecipe of(DeviceRecipe.Vm vm, Ram ram) throws RecipeException, IOException {
        Ram.Chosen chosen = ram.choose(vm.devices());
        List<Option> options = new ArrayList<>();
        List<String> notes = new ArrayList<>(chosen.notes());
        addRam(options, chosen, ram);
        if (!ram.shared()) {
            notes.add("exomem can't access memory that is not shared: balloon and memory devices have no effect on it");
        }
        addDevices(options, vm.devices(), port -> "");
        vm.qmp()
                .ifPresentOrElse(
                        socket -> options.add(new Option("-qmp", "unix:" + escaped(socket) + ",server=on,wait=off")),
                        () -> notes.add(
                                "no device of the VM has vmm-qmp=PATH: exomem can't migrate, save or update it"));
        chosen.layout().kernelLimit().ifPresent(limit -> notes.add(kernelNote(limit)));
        for (DeviceRecipe device : vm.devices()) {
            if (device.vmmListens()) {
                notes.add("QEMU listens for \"" + device.id()
                        + "\" because of connect=on. QEMU ends if exomem connects a second time. Without"
                        + " connect=on, exomem listens");
            }
        }
        return new QemuRecipe(options, notes);
    }

    static String kernelNote(long limit) {
        return "the guest's kernel needs the option mem=" + exact(limit)
                + " (-append, or in its boot loader): the RAM above is for its memory devices";
    }

    private static void addRam(List<Option> options, Ram.Chosen chosen, Ram ram) {
        RamLayout layout = chosen.layout();
        options.add(new Option("-m", exact(layout.size())));
        StringBuilder machine = new StringBuilder("q35");
        if (!layout.isNuma()) {
            machine.append(",memory-backend=").append(layout.parts().getFirst().name());
        }
        layout.below4g().ifPresent(low -> machine.append(",max-ram-below-4g=").append(exact(low)));
        options.add(new Option("-machine", machine.toString()));
        for (int i = 0; i < layout.parts().size(); i++) {
            RamBlock part = layout.parts().get(i);
            options.add(new Option("-object", backEnd(part, chosen.paths(), i, ram)));
            if (layout.isNuma()) {
                options.add(new Option("-numa", "node,nodeid=" + i + ",memdev=" + part.name()));
            }
        }
    }

    private static String backEnd(RamBlock part, List<Path> paths, int index, Ram ram) {
        return (paths.isEmpty() ? "memory-backend-memfd" : "memory-backend-file") + ",id=" + part.name() + ",size="
                + exact(part.size())
                + (paths.isEmpty() ? "" : ",mem-path=" + escaped(paths.get(index)))
                + ",share=" + (ram.shared() ? "on" : "off")
                + (ram.preallocated() ? ",prealloc=on" : "");
    }

    /** @param place returns additional properties of the root port with that number; empty to let QEMU choose the place */
    static void addDevices(List<Option> options, List<DeviceRecipe> devices, IntFunction<String> place) {
        int memories = 0;
        for (int i = 0; i < devices.size(); i++) {
            DeviceRecipe device = devices.get(i);
            boolean isMemory = device.region().isPresent();
            String id = isMemory ? "mem" + memories++ : "balloon0";
            options.add(new Option(
                    "-device", "pcie-root-port,id=" + id + "-port,chassis=" + (FIRST_CHASSIS + i) + place.apply(i)));
            options.add(new Option(
                    "-chardev",
                    "socket,id=" + id + "-socket,path=" + escaped(device.socket())
                            + (device.vmmListens() ? ",server=on" : "")));
            options.add(new Option(
                    "-device",
                    DEVICE + ",id=" + id + ",bus=" + id + "-port,chardev=" + id + "-socket,virtio-id="
                            + (isMemory ? MEMORY : BALLOON) + ",num_vqs=" + (isMemory ? 1 : BALLOON_QUEUES)
                            + ",vq_size="
                            + QUEUE_SIZE + ",config_size=" + (isMemory ? MEMORY_CONFIG : BALLOON_CONFIG)));
        }
    }

    /** A path in an option's value, with commas doubled for QEMU. */
    static String escaped(Path path) {
        return path.toString().replace(",", ",,");
    }

    /** A size in QEMU's notation, exact, in the largest unit. */
    static String exact(long bytes) {
        String units = "KMGT";
        int unit = -1;
        long number = bytes;
        while (unit + 1 < units.length() && number % 1024 == 0) {
            number /= 1024;
            unit++;
        }
        return number + (unit < 0 ? "B" : units.substring(unit, unit + 1));
    }

    /** All words, for a program that starts QEMU. */
    public List<String> words() {
        List<String> words = new ArrayList<>();
        options.forEach(option -> {
            words.add(option.name);
            words.add(option.value);
        });
        return words;
    }

    /** Lines for a shell, between the program and other options. */
    public String forShell() {
        List<String> lines = new ArrayList<>();
        options.forEach(option -> lines.add("  " + option.name + " " + quoted(option.value)));
        return String.join(" \\\n", lines) + "\n";
    }

    private static String quoted(String word) {
        return word.matches("[A-Za-z0-9_@%+=:,./-]+") ? word : "'" + word.replace("'", "'\\''") + "'";
    }
}
