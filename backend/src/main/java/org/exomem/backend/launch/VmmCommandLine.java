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

/** The command line of a VMM, in QEMU's syntax. Immutable. */
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
    /** The prefix of the ids of mapped templates. */
    public static final String TEMPLATE = "exomem-template-";
    /**
     * By default the kernel starts no program with more than 6 MiB of arguments and environment; but a process may change
     * what /proc shows.
     */
    private static final int MAX_BYTES = 8 << 20;

    /** Options whose value may be a character device. */
    private static final Set<String> PLACES =
            Set.of("serial", "parallel", "monitor", "qmp", "qmp-pretty", "debugcon", "gdb", "vnc");
    /** Options that apply to one start only. */
    private static final Set<String> OF_ONE_START = Set.of("incoming", "S", "daemonize", "loadvm");

    /** Options that give a VMM devices and their back-ends. */
    private static final Set<String> SHARING_OPTIONS = Set.of(DEVICE, "netdev", "net", "nic", "blockdev", "object");

    /** Drivers in other processes, and those that give memory to hardware; as words of a value, not within a path. */
    private static final Pattern SHARING = Pattern.compile(
            "(^|[,=:\"{ ])(vhost-user|vhost-vdpa|vfio|virtio-blk-vhost|virtio-blk-vfio|x-vfio-user|x-remote)");

    /** The program, with what precedes it: for example a dynamic linker and its arguments. */
    private final List<String> program;

    private final List<VmmOption> options;

    private VmmCommandLine(List<String> program, List<VmmOption> options) {
        this.program = List.copyOf(program);
        this.options = List.copyOf(options);
    }

    /**
     * Reads the command line of a running process.
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

    /** @param words the program and its arguments; at least one word */
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

    /** Returns this command line with another program. */
    public VmmCommandLine withProgram(Path other) {
        return new VmmCommandLine(List.of(other.toString()), options);
    }

    /**
     * Returns this command line for another VMM, to which the guest of this one moves: it waits, has no devices of exomem,
     * and makes its sockets under their present names.
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

    /** Returns this command line for a VMM that waits for a guest, and starts it only on request. */
    public VmmCommandLine waiting() {
        List<VmmOption> changed = new ArrayList<>(options);
        changed.removeIf(option -> OF_ONE_START.contains(option.name()));
        changed.add(VmmOption.flag("S"));
        changed.add(VmmOption.of("incoming", "defer"));
        return new VmmCommandLine(program, changed);
    }

    /** Returns this command line without the devices whose back-ends are on these sockets, and without their connections. */
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

    /** The paths that a VMM makes at its start, so that two VMMs with the same options would be in conflict. */
    public List<Path> places() {
        List<Path> places = new ArrayList<>();
        for (VmmOption option : options) {
            place(option).ifPresent(places::add);
        }
        return places;
    }

    /** Returns this command line with other paths for what a VMM makes at its start. */
    public VmmCommandLine movingPlaces(UnaryOperator<Path> to) {
        return changed(option ->
                place(option).map(place -> withPlace(option, to.apply(place))).orElse(option));
    }

    /** Returns this command line with other files for the output of a VMM: consoles and logs. */
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

    /** True if the guest is notified when it becomes another one ({@code vmgenid}). */
    public boolean hasGenerationId() {
        return options.stream().anyMatch(VmmCommandLine::isGenerationId);
    }

    /** Returns this command line for a guest that becomes another one: with another generation id, if it has one. */
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

    /** The servers of GDB and VNC always listen. */
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

    /** Returns this command line with another file for a part of its RAM, mapped shared. */
    public VmmCommandLine withSharedMemory(String id, Path file) {
        return withMemory(
                id, properties -> properties.with(MEMORY_PATH, file.toString()).with("share", true));
    }

    /**
     * Returns this command line with another file for a part of its RAM, mapped privately: the guest's writes don't reach
     * the file.
     */
    public VmmCommandLine withPrivateMemory(String id, Path file) {
        return withMemory(
                id,
                properties -> untouched(properties.with(MEMORY_PATH, file.toString()))
                        .with("share", false)
                        .with("readonly", true)
                        .with("rom", false));
    }

    /** Returns this command line with an empty file of a clone's own for a part of its RAM, without preallocation. */
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
     * Returns this command line with one more file, mapped privately. It is not RAM yet: its mapping can be moved over a
     * part of the RAM.
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

    /** Returns this command line with a text replaced in all values. */
    public VmmCommandLine replacing(String text, String by) {
        return changed(option -> new VmmOption(option.name(), option.value().map(value -> value.replace(text, by))));
    }

    /** The option by which other processes use the guest's memory, or pin it; empty if there is none. */
    public Optional<String> sharing() {
        return options.stream()
                .filter(option -> SHARING_OPTIONS.stream().anyMatch(option::is))
                .filter(option -> SHARING.matcher(option.value().orElse("")).find())
                .findFirst()
                .map(option -> "-" + option.name() + " " + option.value().orElse(""));
    }

    /**
     * Why another VMM can't be started with this command line; empty if no reason is known.
     *
     * @return for people
     */
    public Optional<String> obstacle() {
        for (VmmOption option : options) {
            String value = option.value().orElse("");
            VmmProperties properties = option.properties();
            String told = "-" + option.name() + (value.isEmpty() ? "" : " " + value);
            if (option.is("nographic") || isTerminal(option, value, properties)) {
                return Optional.of("\"" + told + "\" uses the terminal on which the VMM was started");
            }
            if (option.is(RUN_WITH) && properties.isOn("exit-with-parent")) {
                return Optional.of("\"" + told + "\" ends the VMM together with the program that started it");
            }
            if (option.is("add-fd")
                    || properties.get("fd").isPresent()
                    || properties.get("fds").isPresent()) {
                return Optional.of("\"" + told + "\" is a file descriptor that the VMM inherited at its start");
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
