package org.exomem.backend.launch;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;

/** The command line of a VMM, as QEMU reads them. Immutable. */
public final class VmmCommandLine {
    private static final String DEVICE = "device";
    private static final String CHARDEV = "chardev";
    private static final String OBJECT = "object";
    private static final String PID_FILE = "pidfile";
    private static final String UNIX = "unix:";
    private static final String FILE = "file:";
    private static final String MEMORY = "memory-backend-file";
    private static final String MEMORY_PATH = "mem-path";
    private static final String PREALLOCATED = "prealloc";
    private static final String RUN_WITH = "run-with";
    /** What the ids of mapped templates begin with. */
    public static final String TEMPLATE = "exomem-template-";
    /** The kernel starts no program with more than 6 MiB of arguments and environment by default; but a process may change what it shows. */
    private static final int MAX_BYTES = 8 << 20;

    /** Options whose value may be a character device. */
    private static final Set<String> PLACES =
            Set.of("serial", "parallel", "monitor", "qmp", "qmp-pretty", "debugcon", "gdb", "vnc");
    /** What is of one start only. */
    private static final Set<String> OF_ONE_START = Set.of("incoming", "S", "daemonize", "loadvm");

    /** Options by which a VMM gets devices and what is behind them. */
    private static final Set<String> SHARING_OPTIONS = Set.of(DEVICE, "netdev", "net", "nic", "blockdev", "object");

    /** Drivers in other processes, and those that give hardware the memory; as words of a value, not within a path. */
    private static final Pattern SHARING = Pattern.compile(
            "(^|[,=:\"{ ])(vhost-user|vhost-vdpa|vfio|virtio-blk-vhost|virtio-blk-vfio|x-vfio-user|x-remote)");

    /** The program, and what is in front of it: a dynamic linker with its arguments, for example. */
    private final List<String> program;

    private final List<VmmOption> options;

    private VmmCommandLine(List<String> program, List<VmmOption> options) {
        this.program = List.copyOf(program);
        this.options = List.copyOf(options);
    }

    /**
     * The command line of a running process.
     *
     * @throws IOException if it can't be read
     */
    public static VmmCommandLine of(int pid) throws IOException {
        byte[] bytes;
        try (InputStream in = Files.newInputStream(Path.of("/proc", Integer.toString(pid), "cmdline"))) {
            bytes = in.readNBytes(MAX_BYTES + 1);
        }
        if (bytes.length > MAX_BYTES) {
            throw new IOException("process " + pid + " has a command line of more than " + MAX_BYTES + " bytes");
        }
        String text = new String(bytes, StandardCharsets.UTF_8);
        if (text.isEmpty()) {
            throw new IOException("process " + pid + " has no command line");
        }
        return of(List.of(text.substring(0, text.length() - 1).split("\0", -1)));
    }

    /** @param words the program and its arguments, at least the former */
    public static VmmCommandLine of(List<String> words) {
        int first = 0;
        for (int i = 0; i < words.size(); i++) {
            String word = words.get(i);
            if (word.substring(word.lastIndexOf('/') + 1).startsWith("qemu")) {
                first = i;
                break;
            }
        }
        List<VmmOption> options = new ArrayList<>();
        for (int i = first + 1; i < words.size(); i++) {
            String word = words.get(i);
            if (!word.startsWith("-") || word.equals("-")) {
                options.add(VmmOption.of("", word));
                continue;
            }
            String name = word.substring(word.startsWith("--") ? 2 : 1);
            if (VmmOption.isFlag(name) || i + 1 == words.size()) {
                options.add(VmmOption.flag(name));
            } else {
                i++;
                options.add(VmmOption.of(name, words.get(i)));
            }
        }
        return new VmmCommandLine(words.subList(0, first + 1), options);
    }

    /** The program and its arguments. */
    public List<String> words() {
        List<String> words = new ArrayList<>(program);
        for (VmmOption option : options) {
            if (!option.name().isEmpty()) {
                words.add("-" + option.name());
            }
            option.value().ifPresent(words::add);
        }
        return words;
    }

    /** The same with another program. */
    public VmmCommandLine withProgram(Path other) {
        return new VmmCommandLine(List.of(other.toString()), options);
    }

    /**
     * The same for another VMM, into which the guest of this one is to come: it waits, has no devices of exomem, and makes sockets under
     * the names that this one's have by now.
     *
     * @param sockets of exomem's devices
     */
    public VmmCommandLine forAnother(Collection<Path> sockets) {
        VmmCommandLine own = withoutDevicesOn(sockets);
        return new VmmCommandLine(
                        program,
                        own.options.stream()
                                .filter(option -> !isTemplate(option))
                                .toList())
                .movingPlaces(SuccessorNames::lasting)
                .waiting();
    }

    /** The same for a VMM that waits for a guest, and lets it run only when it is told to. */
    public VmmCommandLine waiting() {
        List<VmmOption> changed = new ArrayList<>(options);
        changed.removeIf(option -> OF_ONE_START.contains(option.name()));
        changed.add(VmmOption.flag("S"));
        changed.add(VmmOption.of("incoming", "defer"));
        return new VmmCommandLine(program, changed);
    }

    /** The same without the devices whose back-ends are met on these sockets, and without their connections. */
    public VmmCommandLine withoutDevicesOn(Collection<Path> sockets) {
        Set<String> connections = new HashSet<>();
        for (VmmOption option : options) {
            VmmProperties properties = option.properties();
            if (option.is(CHARDEV)
                    && properties
                            .get("path")
                            .map(Path::of)
                            .filter(sockets::contains)
                            .isPresent()) {
                properties.get("id").ifPresent(connections::add);
            }
        }
        List<VmmOption> rest =
                options.stream().filter(option -> !isOf(connections, option)).toList();
        return new VmmCommandLine(program, rest);
    }

    private static boolean isOf(Set<String> connections, VmmOption option) {
        return option.is(CHARDEV)
                        && option.properties()
                                .get("id")
                                .filter(connections::contains)
                                .isPresent()
                || option.is(DEVICE)
                        && option.properties()
                                .get(CHARDEV)
                                .filter(connections::contains)
                                .isPresent();
    }

    /** What a VMM makes in the file system at its start, so that two with the same options would take it from each other. */
    public List<Path> places() {
        List<Path> places = new ArrayList<>();
        for (VmmOption option : options) {
            place(option).ifPresent(places::add);
        }
        return places;
    }

    /** The same with other places for what a VMM makes at its start. */
    public VmmCommandLine movingPlaces(UnaryOperator<Path> to) {
        return changed(option ->
                place(option).map(place -> withPlace(option, to.apply(place))).orElse(option));
    }

    /** The same with other files for what a VMM writes of itself: consoles and logs. */
    public VmmCommandLine movingOutputs(UnaryOperator<Path> to) {
        return changed(option -> {
            String value = option.value().orElse("");
            if (option.is("D")) {
                return VmmOption.of(option.name(), to.apply(Path.of(value)).toString());
            }
            if (PLACES.contains(option.name()) && value.startsWith(FILE)) {
                return VmmOption.of(option.name(), FILE + to.apply(Path.of(value.substring(FILE.length()))));
            }
            if (option.is(CHARDEV) && option.properties().type("backend").equals("file")) {
                return option.with(option.properties()
                        .with(
                                "path",
                                to.apply(Path.of(option.properties().get("path").orElse("")))
                                        .toString()));
            }
            return option;
        });
    }

    /** True if the guest is told when it is another one than before ({@code vmgenid}). */
    public boolean hasGenerationId() {
        return options.stream().anyMatch(VmmCommandLine::isGenerationId);
    }

    /** The same for a guest that is another one than before: it has another generation id, if it has one. */
    public VmmCommandLine withNewGenerationId() {
        return changed(option ->
                isGenerationId(option) ? option.with(option.properties().with("guid", "auto")) : option);
    }

    private static boolean isGenerationId(VmmOption option) {
        return option.is(DEVICE) && option.properties().type("driver").equals("vmgenid");
    }

    private VmmCommandLine changed(UnaryOperator<VmmOption> change) {
        return new VmmCommandLine(program, options.stream().map(change).toList());
    }

    private static Optional<Path> place(VmmOption option) {
        String value = option.value().orElse("");
        if (option.is(PID_FILE)) {
            return Optional.of(Path.of(value));
        }
        if (PLACES.contains(option.name()) && value.startsWith(UNIX)) {
            VmmProperties properties = VmmProperties.parse(value.substring(UNIX.length()));
            return listens(option.name(), properties) ? Optional.of(Path.of(properties.type(""))) : Optional.empty();
        }
        if (option.is(CHARDEV)) {
            VmmProperties properties = option.properties();
            if (properties.type("backend").equals("socket") && properties.isOn("server")) {
                return properties.get("path").map(Path::of);
            }
        }
        return Optional.empty();
    }

    /** A monitor of GDB or VNC always does. */
    private static boolean listens(String option, VmmProperties properties) {
        return option.equals("vnc") || option.equals("gdb") || properties.isOn("server");
    }

    private static VmmOption withPlace(VmmOption option, Path place) {
        if (option.is(PID_FILE)) {
            return VmmOption.of(option.name(), place.toString());
        }
        if (option.is(CHARDEV)) {
            return option.with(option.properties().with("path", place.toString()));
        }
        String value = option.value().orElse("");
        String rest = value.substring(UNIX.length());
        String before = VmmProperties.parse(rest).type("").replace(",", ",,");
        return VmmOption.of(
                option.name(), UNIX + place.toString().replace(",", ",,") + rest.substring(before.length()));
    }

    private static boolean isMemory(VmmOption option) {
        return option.is(OBJECT) && option.properties().type("qom-type").equals(MEMORY);
    }

    /** The file of a memory back-end. */
    public Optional<Path> memoryFile(String id) {
        return options.stream()
                .filter(VmmCommandLine::isMemory)
                .map(VmmOption::properties)
                .filter(properties -> properties.get("id").filter(id::equals).isPresent())
                .findFirst()
                .flatMap(properties -> properties.get(MEMORY_PATH))
                .map(Path::of);
    }

    /** The first socket on which it listens for QMP. */
    public Optional<Path> qmp() {
        for (VmmOption option : options) {
            if (option.is("qmp") || option.is("qmp-pretty")) {
                Optional<Path> place = place(option);
                if (place.isPresent()) {
                    return place;
                }
            }
            if (option.is("mon")
                    && option.properties().get("mode").filter("control"::equals).isPresent()) {
                String chardev = option.properties()
                        .get(CHARDEV)
                        .orElse(option.properties().type(CHARDEV));
                Optional<Path> place = options.stream()
                        .filter(other -> other.is(CHARDEV)
                                && other.properties()
                                        .get("id")
                                        .filter(chardev::equals)
                                        .isPresent())
                        .findFirst()
                        .flatMap(VmmCommandLine::place);
                if (place.isPresent()) {
                    return place;
                }
            }
        }
        return Optional.empty();
    }

    /** The same with another file for a part of its RAM, mapped so that others see what the guest writes. */
    public VmmCommandLine withSharedMemory(String id, Path file) {
        return withMemory(
                id, properties -> properties.with(MEMORY_PATH, file.toString()).with("share", true));
    }

    /** The same with a file for a part of its RAM that is only read: what the guest writes is its own. */
    public VmmCommandLine withPrivateMemory(String id, Path file) {
        return withMemory(
                id,
                properties -> untouched(properties.with(MEMORY_PATH, file.toString()))
                        .with("share", false)
                        .with("readonly", true)
                        .with("rom", false));
    }

    /** The same with an empty file of a clone's own for a part of its RAM, of which nothing is to be there beforehand. */
    public VmmCommandLine withEmptyMemory(String id, Path file) {
        return withMemory(
                id,
                properties ->
                        untouched(properties.with(MEMORY_PATH, file.toString())).with("share", true));
    }

    private static VmmProperties untouched(VmmProperties memory) {
        return memory.get(PREALLOCATED).isPresent() ? memory.with(PREALLOCATED, false) : memory;
    }

    /**
     * The same with one more file mapped privately, which is no RAM yet: what is mapped can be put over a part of its RAM.
     *
     * @param id of the RAM that it is for
     * @param size of the file, in bytes
     */
    public VmmCommandLine withTemplate(String id, Path file, long size) {
        List<VmmOption> more = new ArrayList<>(options);
        more.add(VmmOption.of(
                OBJECT,
                VmmProperties.parse(MEMORY + ",id=" + TEMPLATE + id)
                        .with(MEMORY_PATH, file.toString())
                        .with("size", Long.toString(size))
                        .with("share", false)
                        .with("readonly", true)
                        .with("rom", false)
                        .toString()));
        return new VmmCommandLine(program, more);
    }

    private static boolean isTemplate(VmmOption option) {
        return isMemory(option)
                && option.properties()
                        .get("id")
                        .filter(id -> id.startsWith(TEMPLATE))
                        .isPresent();
    }

    private VmmCommandLine withMemory(String id, UnaryOperator<VmmProperties> change) {
        return changed(option -> isMemory(option)
                        && option.properties().get("id").filter(id::equals).isPresent()
                ? option.with(change.apply(option.properties()))
                : option);
    }

    /** The same with one text in place of another, in all values. */
    public VmmCommandLine replacing(String text, String by) {
        return changed(option -> new VmmOption(option.name(), option.value().map(value -> value.replace(text, by))));
    }

    /** The option by which others than the VMM itself use the guest's memory, or pin it; empty if there is none. */
    public Optional<String> sharing() {
        return options.stream()
                .filter(option -> SHARING_OPTIONS.stream().anyMatch(option::is))
                .filter(option -> SHARING.matcher(option.value().orElse("")).find())
                .findFirst()
                .map(option -> "-" + option.name() + " " + option.value().orElse(""));
    }

    /**
     * Why another VMM can't be started with this command line; empty if nothing is known of that.
     *
     * @return for people
     */
    public Optional<String> obstacle() {
        for (VmmOption option : options) {
            String value = option.value().orElse("");
            VmmProperties properties = option.properties();
            String told = "-" + option.name() + (value.isEmpty() ? "" : " " + value);
            if (option.is("nographic") || isTerminal(option, value, properties)) {
                return Optional.of("\"" + told + "\" uses the terminal that it was started on");
            }
            if (option.is(RUN_WITH) && properties.isOn("exit-with-parent")) {
                return Optional.of("\"" + told + "\" has it end with the program that started it");
            }
            if (option.is("add-fd")
                    || properties.get("fd").isPresent()
                    || properties.get("fds").isPresent()) {
                return Optional.of("\"" + told + "\" is a descriptor that it was given at its start");
            }
        }
        return Optional.empty();
    }

    private static boolean isTerminal(VmmOption option, String value, VmmProperties properties) {
        return PLACES.contains(option.name()) && (value.equals("stdio") || value.equals("mon:stdio"))
                || option.is(CHARDEV) && properties.type("backend").equals("stdio");
    }

    @Override
    public String toString() {
        return String.join(" ", words());
    }
}
