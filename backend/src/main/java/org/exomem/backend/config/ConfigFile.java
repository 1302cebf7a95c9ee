package org.exomem.backend.config;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/**
 * The YAML file of {@code --config}. Strict: what is not understood is an error that names file, line and key.
 *
 * <pre>
 * control: /run/exomem.sock
 * state: /var/lib/exomem
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
 * The words of a device are those of {@code --balloon} and {@code --mem}. Read token by token, because values must stay
 * the text that was written ({@code on}, {@code 2G}, a VM named {@code 007}), and complaints need their line.
 */
public final class ConfigFile {
    private final Path file;
    private final YAMLParser yaml;
    private Optional<Path> control = Optional.empty();
    private Optional<Path> state = Optional.empty();
    private final List<BalloonConfig> balloons = new ArrayList<>();
    private final List<MemoryConfig> mems = new ArrayList<>();

    private ConfigFile(Path file, YAMLParser yaml) {
        this.file = file;
        this.yaml = yaml;
    }

    /** Reads the file. Relative paths in it are relative to the folder it is in. */
    public static ServeConfig read(Path file) throws ConfigException {
        if (Files.isDirectory(file)) {
            throw new ConfigException("\"" + file + "\" is a folder; a YAML file is wanted");
        }
        try (YAMLParser yaml = new YAMLFactory().createParser(Files.readString(file))) {
            return new ConfigFile(file, yaml).document();
        } catch (JsonProcessingException e) {
            throw new ConfigException(file + ":" + line(e.getLocation()) + ": not YAML: " + firstLine(e));
        } catch (CharacterCodingException e) {
            throw new ConfigException(file + ": not text in UTF-8");
        } catch (NoSuchFileException e) {
            throw new ConfigException(file + ": there is no such file");
        } catch (AccessDeniedException e) {
            throw new ConfigException(file + ": may not be read by this user");
        } catch (IOException e) {
            throw new ConfigException(file + ": can't be read: " + e.getMessage());
        }
    }

    private ServeConfig document() throws IOException, ConfigException {
        expect(yaml.nextToken(), JsonToken.START_OBJECT, "the file must be a mapping with balloons, mems and control");
        Set<String> seen = new HashSet<>();
        while (yaml.nextToken() == JsonToken.FIELD_NAME) {
            String key = yaml.currentName();
            if (!seen.add(key)) {
                throw complaint("\"" + key + "\" is given twice");
            }
            switch (key) {
                case "control" -> control = Optional.of(controlSocket(scalar(key)));
                case "state" -> state = Optional.of(resolved(scalar(key)));
                case "balloons" -> devices(key, "a balloon", BalloonWords::new, balloons);
                case "mems" -> devices(key, "a memory device", MemoryWords::new, mems);
                default -> throw complaint("\"" + key + "\" is not a key; there are balloons, mems, control and state");
            }
        }
        if (yaml.nextToken() != null) {
            throw complaint("a second document; a file has one");
        }
        return new ServeConfig(control, balloons, mems, state);
    }

    private <C> void devices(String key, String kind, Supplier<DeviceWords<C>> words, List<C> devices)
            throws IOException, ConfigException {
        expect(yaml.nextToken(), JsonToken.START_ARRAY, key + " must be a list");
        while (yaml.nextToken() != JsonToken.END_ARRAY) {
            expect(yaml.currentToken(), JsonToken.START_OBJECT, kind + " must be a mapping, such as - vm: NAME");
            devices.add(device(words.get()));
        }
    }

    private <C> C device(DeviceWords<C> words) throws IOException, ConfigException {
        String start = place();
        while (yaml.nextToken() == JsonToken.FIELD_NAME) {
            String key = yaml.currentName();
            String where = place();
            String value = scalar(key);
            try {
                words.set(key, words.isPath(key) ? resolved(value).toString() : value);
            } catch (ConfigException e) {
                throw e.at(where);
            }
        }
        try {
            return words.toConfig();
        } catch (ConfigException e) {
            throw e.at(start);
        }
    }

    private String scalar(String key) throws IOException, ConfigException {
        JsonToken token = yaml.nextToken();
        if (!token.isScalarValue() || token == JsonToken.VALUE_NULL) {
            throw complaint("\"" + key + "\" must be a single value");
        }
        return yaml.getText();
    }

    private Path controlSocket(String path) throws ConfigException {
        if (path.equals("none")) {
            throw complaint("control must be a path; leave it out and say --control none to have no control socket");
        }
        return resolved(path);
    }

    private Path resolved(String path) throws ConfigException {
        if (path.isEmpty()) {
            throw complaint("the path is empty");
        }
        return file.toAbsolutePath().resolveSibling(path);
    }

    private void expect(JsonToken found, JsonToken wanted, String rule) throws ConfigException {
        if (found != wanted) {
            throw complaint(rule);
        }
    }

    private ConfigException complaint(String what) {
        return new ConfigException(place() + ": " + what);
    }

    private String place() {
        return file + ":" + line(yaml.currentTokenLocation());
    }

    private static int line(JsonLocation location) {
        return location == null ? 1 : Math.max(location.getLineNr(), 1);
    }

    private static String firstLine(JsonProcessingException e) {
        return e.getOriginalMessage().lines().findFirst().orElse("unreadable");
    }
}
