package org.exomem.fuzz;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.ConfigFile;
import org.exomem.backend.config.DeviceArguments;
import org.exomem.backend.config.DeviceConfig;
import org.exomem.backend.config.ServeConfig;

/**
 * The configuration. The first byte of an input chooses: a YAML file, the text of a {@code --balloon} or {@code --mem}
 * option, or a size.
 *
 * <p>Properties: invalid input is refused, and the message for a file names it. Valid input has the same meaning
 * another way: an option that is sent over the control socket creates the same device as on the command line.
 */
public final class ConfigFuzz {
    private static final Path FILE = file();

    private ConfigFuzz() {}

    private static Path file() {
        try {
            // In memory, if the host has such a folder.
            Path shared = Path.of("/dev/shm");
            Path folder = Files.isWritable(shared)
                    ? Files.createTempDirectory(shared, "exomem-fuzz")
                    : Files.createTempDirectory("exomem-fuzz");
            Path file = folder.resolve("vms.yaml");
            Runtime.getRuntime().addShutdownHook(new Thread(() -> remove(file, folder)));
            return file;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void remove(Path... paths) {
        try {
            for (Path path : paths) {
                Files.deleteIfExists(path);
            }
        } catch (IOException e) {
            System.err.println("can't be removed: " + e.getMessage());
        }
    }

    public static void fuzzerTestOneInput(byte[] bytes) {
        Input input = new Input(bytes);
        int what = input.below(4);
        byte[] rest = input.rest();
        try {
            switch (what) {
                case 0 -> file(rest);
                case 1 -> balloon(new String(rest, StandardCharsets.UTF_8));
                case 2 -> memory(new String(rest, StandardCharsets.UTF_8));
                default -> size(new String(rest, StandardCharsets.UTF_8));
            }
        } catch (ConfigException e) {
            BrokenRule.unless(e.getMessage() != null && !e.getMessage().isBlank(), "a refusal gives no reason");
        }
    }

    private static void file(byte[] text) throws ConfigException {
        ServeConfig config;
        try {
            Files.write(FILE, text);
            config = ConfigFile.read(FILE);
        } catch (ConfigException e) {
            BrokenRule.unless(String.valueOf(e.getMessage()).contains(FILE.toString()), "a refusal names no file");
            return;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        config.consistent();
        for (DeviceConfig device : config.devices()) {
            BrokenRule.unless(!device.vm().isEmpty() && !device.id().isEmpty(), "a device has no name");
        }
        BrokenRule.unlessEqual(
                config.balloons().size() + config.mems().size(),
                config.devices().size(),
                "the number of devices");
    }

    private static void balloon(String option) throws ConfigException {
        DeviceConfig device = ServeConfig.balloon(option);
        requireSame(device, DeviceArguments.of(List.of(option), List.of()));
    }

    private static void memory(String option) throws ConfigException {
        DeviceConfig device = ServeConfig.mem(option);
        requireSame(device, DeviceArguments.of(List.of(), List.of(option)));
    }

    private static void requireSame(DeviceConfig device, ObjectNode arguments) {
        try {
            DeviceConfig again = DeviceArguments.read(arguments).devices().getFirst();
            if (!again.equals(device)) {
                throw new BrokenRule("by the control socket " + device + " becomes " + again);
            }
        } catch (ConfigException e) {
            throw new BrokenRule("the control socket does not take what the command line does: " + arguments, e);
        }
    }

    private static void size(String text) throws ConfigException {
        long bytes = ByteSize.parse(text);
        BrokenRule.unless(bytes >= 0, "a size is negative");
        String told = ByteSize.format(bytes);
        long again = ByteSize.parse(told.replace(" B", ""));
        // The text has one decimal: the error is at most half of a tenth of a unit.
        BrokenRule.unless(Math.abs(again - bytes) <= bytes / 10, "a size is told as another one");
    }
}
