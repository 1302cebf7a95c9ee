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

/**
 * The YAML file of {@code --config}. Strict: what is not understood is an error that names file, line and key.
 *
 * <pre>
 * control: /run/exomem.sock
 * balloons:
 *   - vm: alpha
 *     socket: /run/alpha-balloon.sock
 *     deflate-on-oom: on
 * </pre>
 *
 * The words of a balloon are those of {@code --balloon}. Read token by token, because values must stay the text that was
 * written ({@code on}, {@code 2G}, a VM named {@code 007}), and complaints need their line.
 */
public final class ConfigFile {
    private final Path file;
    private final YAMLParser yaml;
    private Optional<Path> control = Optional.empty();
    private final List<BalloonConfig> balloons = new ArrayList<>();

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
        expect(yaml.nextToken(), JsonToken.START_OBJECT, "the file must be a mapping with balloons and control");
        Set<String> seen = new HashSet<>();
        while (yaml.nextToken() == JsonToken.FIELD_NAME) {
            String key = yaml.currentName();
            if (!seen.add(key)) {
                throw complaint("\"" + key + "\" is given twice");
            }
            switch (key) {
                case "control" -> control = Optional.of(controlSocket(scalar(key)));
                case "balloons" -> balloons();
                default -> throw complaint("\"" + key + "\" is not a key; there are balloons and control");
            }
        }
        if (yaml.nextToken() != null) {
            throw complaint("a second document; a file has one");
        }
        return new ServeConfig(control, balloons);
    }

    private void balloons() throws IOException, ConfigException {
        expect(yaml.nextToken(), JsonToken.START_ARRAY, "balloons must be a list");
        while (yaml.nextToken() != JsonToken.END_ARRAY) {
            expect(yaml.currentToken(), JsonToken.START_OBJECT, "a balloon must be a mapping, such as - vm: NAME");
            balloons.add(balloon());
        }
    }

    private BalloonConfig balloon() throws IOException, ConfigException {
        String start = place();
        BalloonWords words = new BalloonWords();
        while (yaml.nextToken() == JsonToken.FIELD_NAME) {
            String key = yaml.currentName();
            String where = place();
            String value = scalar(key);
            try {
                words.set(key, key.equals("socket") ? resolved(value).toString() : value);
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
