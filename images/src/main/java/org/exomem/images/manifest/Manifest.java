package org.exomem.images.manifest;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntPredicate;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.exomem.images.Sha256;
import org.exomem.images.ram.RamFileName;

/**
 * Describes a saved VM, with all that is needed to run it again. The file is JSON; {@code docs/formats.md} has its fields.
 *
 * @param exomem the version of exomem that saved it
 * @param vm the VM's name
 * @param saved the time, in whole milliseconds
 * @param running whether the guest ran until it was stopped for this; a guest that was paused is not started
 * @param vmm the VMM that it ran on
 * @param ram the RAM files, ordered by offset without a gap
 * @param state the state of the VMM's devices
 * @param devices the description of exomem's devices, a JSON object; empty if there is none
 */
public record Manifest(
        String exomem,
        String vm,
        Instant saved,
        boolean running,
        Vmm vmm,
        List<Ram> ram,
        StateFile state,
        Optional<String> devices) {
    /** The version that this exomem writes, and the newest that it reads. */
    public static final int VERSION = 1;

    /** The largest size of a manifest in bytes. */
    public static final int MOST_BYTES = 1 << 20;

    /** The most RAM files. */
    public static final int MOST_RAM_FILES = 256;

    /** The most words in a command line. */
    public static final int MOST_ARGUMENTS = 4096;

    private static final String FORMAT = "exomem image";
    private static final int MOST_NAME = 200;
    /** The kernel's own limit for an argument is 128 KiB. */
    private static final int MOST_ARGUMENT = 1 << 17;

    private static final int DIGEST = 64;

    /**
     * A VMM, and how it was started.
     *
     * @param name of the program, such as QEMU
     * @param version as the VMM reported it
     * @param command its command line, the program first
     */
    public record Vmm(String name, String version, List<String> command) {
        /** @throws IllegalArgumentException if it has no program, or a text is too long or has a NUL character */
        public Vmm {
            command = List.copyOf(command);
            checkText("the VMM's name", name, MOST_NAME);
            checkText("the VMM's version", version, MOST_NAME);
            check(!command.isEmpty() && !command.getFirst().isEmpty(), "the VMM's command line has no program");
            check(
                    command.size() <= MOST_ARGUMENTS,
                    "the VMM's command line has more than " + MOST_ARGUMENTS + " arguments");
            for (String argument : command) {
                checkText("an argument of the VMM's command line", argument, MOST_ARGUMENT);
            }
        }
    }

    /**
     * A RAM file.
     *
     * @param name has its offset and size; not a temporary one
     * @param dataBytes the bytes that were no holes when it was saved
     * @param digest of its content, if there is one: the root of the digests of its ranges
     */
    public record Ram(RamFileName name, long dataBytes, Optional<Sha256> digest) {
        /** @throws IllegalArgumentException if it has more data than its size, or is temporary */
        public Ram {
            check(name.random().isEmpty(), "the RAM file " + name + " is a temporary one");
            check(
                    dataBytes >= 0 && dataBytes <= name.size(),
                    "the RAM file " + name + " has " + dataBytes + " bytes of data, and a size of " + name.size()
                            + " bytes");
        }
    }

    /**
     * The file with the state of the VMM's devices, {@link ImageFolder#STATE}.
     *
     * @param size in bytes
     */
    public record StateFile(long size, Sha256 digest) {
        /** @throws IllegalArgumentException if it is empty */
        public StateFile {
            check(size > 0, "the state of the VMM's devices has " + size + " bytes");
        }
    }

    /** @throws IllegalArgumentException if no image can have one of the values; the message says why */
    public Manifest {
        ram = List.copyOf(ram);
        saved = saved.truncatedTo(ChronoUnit.MILLIS);
        checkText("the version of exomem", exomem, MOST_NAME);
        checkText("the VM's name", vm, MOST_NAME);
        check(!vm.isEmpty() && !has(vm, Character::isISOControl), "\"" + vm + "\" is not a valid name of a VM");
        check(!ram.isEmpty(), "there is no RAM file");
        check(ram.size() <= MOST_RAM_FILES, "there are more than " + MOST_RAM_FILES + " RAM files");
        // These have offsets without a gap, so that this checks names and offsets together.
        List<RamFileName> names = ram.stream().map(Ram::name).toList();
        check(
                RamFileName.of(names.stream().map(RamFileName::block).toList()).equals(names),
                "the RAM files " + names + " are not contiguous");
    }

    private static boolean has(String text, IntPredicate character) {
        return text.chars().anyMatch(character);
    }

    private static void checkText(String what, String text, int most) {
        check(text.length() <= most, what + " has more than " + most + " characters");
        check(text.indexOf('\0') < 0, what + " has a zero character");
    }

    private static void check(boolean right, String otherwise) {
        if (!right) {
            throw new IllegalArgumentException(otherwise);
        }
    }

    /** The sum of the RAM files' sizes, in bytes. */
    public long ramBytes() {
        return ram.stream().mapToLong(file -> file.name().size()).sum();
    }

    /** The bytes of the manifest's file. */
    public byte[] toBytes() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("format", FORMAT);
        json.put("version", VERSION);
        json.put("exomem", exomem);
        json.put("vm", vm);
        json.put("saved", saved.toString());
        json.put("running", running);
        Map<String, Object> program = new LinkedHashMap<>();
        program.put("name", vmm.name);
        program.put("version", vmm.version);
        program.put("command", vmm.command);
        json.put("vmm", program);
        List<Object> files = new ArrayList<>();
        for (Ram one : ram) {
            Map<String, Object> file = new LinkedHashMap<>();
            file.put("file", one.name.file());
            file.put("name", one.name.name());
            file.put("size", one.name.size());
            file.put("data", one.dataBytes);
            one.digest.ifPresent(digest -> file.put("digest", digest.hex()));
            files.add(file);
        }
        json.put("ram", files);
        Map<String, Object> stateFile = new LinkedHashMap<>();
        stateFile.put("file", ImageFolder.STATE);
        stateFile.put("size", state.size);
        stateFile.put("sha256", state.digest.hex());
        json.put("state", stateFile);
        devices.ifPresent(text -> json.put("devices", devices(text)));
        return JsonTree.write(json);
    }

    private static Object devices(String json) {
        try {
            if (JsonTree.read(json.getBytes(StandardCharsets.UTF_8)) instanceof Map<?, ?> object) {
                return object;
            }
        } catch (IOException e) {
            throw new IllegalArgumentException(
                    "the description of the moved devices is not JSON: " + e.getMessage(), e);
        }
        throw new IllegalArgumentException("the description of the moved devices is not a JSON object");
    }

    /**
     * Parses a manifest.
     *
     * @throws ImageException {@link Fault#FOREIGN}, {@link Fault#NEWER} or {@link Fault#INVALID}; the message says what is
     *     wrong
     */
    public static Manifest of(byte[] bytes) throws ImageException {
        if (bytes.length > MOST_BYTES) {
            throw new ImageException(Fault.INVALID, "it has more than " + MOST_BYTES + " bytes");
        }
        Object json;
        try {
            json = JsonTree.read(bytes);
        } catch (IOException e) {
            throw new ImageException(Fault.INVALID, "it is not JSON: " + e.getMessage(), e);
        }
        Fields fields = format(json);
        try {
            Manifest manifest = of(fields);
            fields.expectNoMore();
            return manifest;
        } catch (IllegalArgumentException | DateTimeException e) {
            throw new ImageException(Fault.INVALID, String.valueOf(e.getMessage()), e);
        }
    }

    /** First, because the fields of a newer version are unknown. */
    private static Fields format(Object json) throws ImageException {
        if (!(json instanceof Map<?, ?> object) || !FORMAT.equals(object.get("format"))) {
            throw new ImageException(
                    Fault.FOREIGN, "it is not a manifest of a saved VM: \"format\" is not \"" + FORMAT + "\"");
        }
        Fields fields = Fields.of("", json);
        fields.text("format", FORMAT.length());
        long version = fields.number("version", Integer.MAX_VALUE);
        if (version > VERSION) {
            throw new ImageException(
                    Fault.NEWER,
                    "it was written by a newer exomem: it has version " + version + ", this exomem supports version "
                            + VERSION);
        }
        if (version < 1) {
            throw new ImageException(Fault.INVALID, "version " + version + " does not exist");
        }
        return fields;
    }

    private static Manifest of(Fields fields) throws ImageException {
        Fields program = fields.object("vmm");
        Vmm vmm = new Vmm(
                program.text("name", MOST_NAME),
                program.text("version", MOST_NAME),
                program.texts("command", MOST_ARGUMENTS, MOST_ARGUMENT));
        program.expectNoMore();
        List<Ram> ram = new ArrayList<>();
        for (Fields file : fields.objects("ram", MOST_RAM_FILES)) {
            ram.add(ram(file));
            file.expectNoMore();
        }
        Fields file = fields.object("state");
        String stateName = file.text("file", MOST_NAME);
        check(
                stateName.equals(ImageFolder.STATE),
                "\"" + stateName + "\" is not the name of the state of a VMM's devices, which is " + ImageFolder.STATE);
        StateFile state = new StateFile(file.number("size", Long.MAX_VALUE), new Sha256(file.text("sha256", DIGEST)));
        file.expectNoMore();
        return new Manifest(
                fields.text("exomem", MOST_NAME),
                fields.text("vm", MOST_NAME),
                saved(fields.text("saved", MOST_NAME)),
                fields.flag("running"),
                vmm,
                ram,
                state,
                fields.has("devices")
                        ? Optional.of(new String(JsonTree.write(fields.any("devices")), StandardCharsets.US_ASCII))
                        : Optional.empty());
    }

    private static Instant saved(String text) throws ImageException {
        Instant saved = Instant.parse(text);
        if (!saved.toString().equals(text) || !saved.equals(saved.truncatedTo(ChronoUnit.MILLIS))) {
            throw Fields.invalid("\"saved\" is \"" + text + "\", which is not a time in whole milliseconds");
        }
        return saved;
    }

    /** The name alone has all values. The others are for people, and must be the same. */
    private static Ram ram(Fields file) throws ImageException {
        String text = file.text("file", MOST_NAME);
        RamFileName name = RamFileName.parse(text)
                .orElseThrow(() -> Fields.invalid("\"" + text + "\" is not the name of a RAM file"));
        check(
                file.text("name", MOST_NAME).equals(name.name()),
                "the file name \"" + text + "\" does not match its \"name\"");
        check(
                file.number("size", RamFileName.MOST_BYTES) == name.size(),
                "the file name \"" + text + "\" does not match its \"size\"");
        return new Ram(
                name,
                file.number("data", RamFileName.MOST_BYTES),
                file.optionalText("digest", DIGEST).map(Sha256::new));
    }
}
