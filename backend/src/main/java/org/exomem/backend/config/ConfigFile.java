package org.exomem.backend.config;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.exomem.cli.text.FileFault;

/**
 * The YAML file of {@code --config}. Strict: unknown content is an error that names file, line and key.
 *
 * <pre>
 * control: /run/exomem.sock
 * state: /var/lib/exomem
 * max-memory: 1T
 * balloons:
 *   - vm: alpha
 *     socket: /run/alpha-balloon.sock
 *     deflate-on-oom: on
 * mems:
 *   - vm: alpha
 *     id: m0
 *     socket: /run/alpha-m0.sock
 *     addr: 4G
 *     size: 8G
 * </pre>
 *
 * The options of a device are those of {@code --balloon} and {@code --mem}.
 */
public final class ConfigFile {
    /** The keys of the main file, in the order for messages. */
    public static final List<String> KEYS = List.of(
            "balloons", "mems", "include", "control", "state", "max-memory", "metrics", "metrics-tls", "ui", "ui-tls");

    /** The keys of an included file. */
    private static final List<String> DEVICE_KEYS = KEYS.subList(0, 2);

    private static final String KEYS_FOR_PEOPLE =
            String.join(", ", KEYS.subList(0, KEYS.size() - 1)) + " and " + KEYS.getLast();
    /** The largest file in bytes; enough for about 100000 devices. */
    private static final int MOST = 16 << 20;

    private final Path file;
    private final YAMLParser yaml;
    private final DeviceReader devices;
    private final boolean included;
    private Optional<Path> include = Optional.empty();
    private Optional<Path> control = Optional.empty();
    private Optional<Path> state = Optional.empty();
    private OptionalLong maxMemory = OptionalLong.empty();
    private HttpConfig metrics = HttpConfig.NOTHING;
    private HttpConfig ui = HttpConfig.NOTHING;

    private ConfigFile(Path file, YAMLParser yaml, boolean included) {
        this.file = file;
        this.yaml = yaml;
        this.included = included;
        this.devices = new DeviceReader(yaml, this::place, this::resolve);
    }

    /**
     * Reads the file, and the files of the folder that it includes. Relative paths are relative to the folder of the file
     * that contains them.
     *
     * @throws ConfigException if one can't be read or parsed; the message says where and why
     */
    public static ServeConfig read(Path file) throws ConfigException {
        return read(file, false);
    }

    private static ServeConfig read(Path file, boolean included) throws ConfigException {
        if (Files.isDirectory(file)) {
            throw new ConfigException("\"" + file + "\" is a folder, not a YAML file");
        }
        YAMLFactory factory = new YAMLFactory();
        try {
            String text = text(file);
            try (YAMLParser yaml = factory.createParser(text)) {
                // A line that is indented wrongly would be told as something else that is missing before it.
                for (JsonToken token = yaml.nextToken(); token != null; token = yaml.nextToken()) {}
            }
            try (YAMLParser yaml = factory.createParser(text)) {
                return new ConfigFile(file, yaml, included).document();
            }
        } catch (JsonProcessingException e) {
            throw new ConfigException(file + ":" + line(e.getLocation()) + ": not YAML: " + reason(e));
        } catch (CharacterCodingException e) {
            throw new ConfigException(file + ": not text in UTF-8");
        } catch (NoSuchFileException e) {
            throw new ConfigException(file + ": there is no such file");
        } catch (AccessDeniedException e) {
            throw new ConfigException(file + ": this user has no permission to read it");
        } catch (IOException e) {
            throw new ConfigException(file + ": can't be read: " + FileFault.reason(e));
        }
    }

    private static String text(Path file) throws IOException, ConfigException {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(MOST + 1);
            if (bytes.length > MOST) {
                throw new ConfigException(
                        file + ": is larger than " + ByteSize.format(MOST) + ", the limit for a configuration file");
            }
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        }
    }

    private ServeConfig document() throws IOException, ConfigException {
        devices.expect(yaml.nextToken(), JsonToken.START_OBJECT, "the file must be a mapping with " + KEYS_FOR_PEOPLE);
        Set<String> seen = new HashSet<>();
        while (yaml.nextToken() == JsonToken.FIELD_NAME) {
            String key = yaml.currentName();
            if (!seen.add(key)) {
                throw devices.complaint("\"" + key + "\" is given twice");
            }
            if (!devices.read(key)) {
                set(key);
            }
        }
        if (yaml.nextToken() != null) {
            throw devices.complaint("a second document is not allowed");
        }
        ServeConfig all = new ServeConfig(control, devices.balloons(), devices.mems(), state, maxMemory, metrics, ui);
        for (Path each : includedFiles()) {
            all = all.and(read(each, true));
        }
        return all;
    }

    /** The included files in the order of their names; none if the folder does not exist. */
    private List<Path> includedFiles() throws ConfigException {
        if (include.isEmpty() || !Files.exists(include.get())) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(include.get())) {
            return files.filter(each -> each.getFileName().toString().endsWith(".yaml"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new ConfigException(file + ": include: " + include.get() + ": " + FileFault.reason(e));
        }
    }

    private void set(String key) throws IOException, ConfigException {
        if (!KEYS.contains(key)) {
            throw devices.complaint("\"" + key + "\" is not a key; the keys are " + KEYS_FOR_PEOPLE);
        }
        if (included) {
            throw devices.complaint("\"" + key + "\" is not allowed in an included file; the keys are "
                    + String.join(" and ", DEVICE_KEYS));
        }
        String value = devices.scalar(key);
        String where = place();
        try {
            switch (key) {
                case "include" -> include = Optional.of(devices.path(value));
                case "control" -> control = Optional.of(controlSocket(value));
                case "state" -> state = Optional.of(devices.path(value));
                case "max-memory" -> maxMemory = OptionalLong.of(ServeConfig.maxMemory(value));
                case "metrics" -> metrics = metrics.and(addresses(value));
                case "metrics-tls" -> metrics = metrics.and(certificates(value));
                case "ui" -> ui = ui.and(addresses(value));
                case "ui-tls" -> ui = ui.and(certificates(value));
                default -> throw new IllegalStateException(key);
            }
        } catch (ConfigException e) {
            throw e.at(where);
        }
    }

    private Path controlSocket(String path) throws ConfigException {
        if (path.equals("none")) {
            throw new ConfigException(
                    "control must be a path; for no control socket, leave it out and use --control none");
        }
        return devices.path(path);
    }

    /** Resolves Unix sockets relative to the file's folder. */
    private HttpConfig addresses(String text) throws ConfigException {
        List<HttpAddress> addresses = new ArrayList<>();
        for (String one : text.split(",", -1)) {
            String address = one.strip();
            addresses.add(
                    address.startsWith("unix:")
                            ? new HttpAddress.Local(resolve(address.substring("unix:".length())))
                            : HttpAddress.parse(address));
        }
        return new HttpConfig(addresses, Optional.empty());
    }

    private HttpConfig certificates(String folder) throws ConfigException {
        return new HttpConfig(List.of(), Optional.of(devices.path(folder)));
    }

    private Path resolve(String path) throws ConfigException {
        Value.path(path);
        return file.toAbsolutePath().resolveSibling(path);
    }

    private String place() {
        return file + ":" + line(yaml.currentTokenLocation());
    }

    private static int line(JsonLocation location) {
        return location == null ? 1 : Math.max(location.getLineNr(), 1);
    }

    /** The parser's message without its indented excerpts of the file. */
    private static String reason(JsonProcessingException e) {
        String message = e.getOriginalMessage();
        if (message.contains("(TAB)")) {
            return "there is a tab; YAML allows only spaces for indentation";
        }
        return message.lines()
                .filter(line -> !line.isBlank() && !line.startsWith(" "))
                .collect(Collectors.joining(": "));
    }
}
