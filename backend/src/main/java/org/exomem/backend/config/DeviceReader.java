package org.exomem.backend.config;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * Reads lists of devices token by token, from a YAML file or from the arguments of a control command. Values keep their text
 * ({@code on}, {@code 2G}, a VM named {@code 007}). Error messages name the place.
 */
final class DeviceReader {
    private final JsonParser parser;
    private final Supplier<String> place;
    private final Paths paths;
    private final List<BalloonConfig> balloons = new ArrayList<>();
    private final List<MemoryConfig> mems = new ArrayList<>();

    /** Resolves the paths that are read. */
    @FunctionalInterface
    interface Paths {
        /** @throws ConfigException if the path can't be one */
        Path resolve(String path) throws ConfigException;
    }

    /** @param place the parser's position, for people */
    DeviceReader(JsonParser parser, Supplier<String> place, Paths paths) {
        this.parser = parser;
        this.place = place;
        this.paths = paths;
    }

    List<BalloonConfig> balloons() {
        return balloons;
    }

    List<MemoryConfig> mems() {
        return mems;
    }

    /** Reads the value of a key that lists devices; returns false for any other key. */
    boolean read(String key) throws IOException, ConfigException {
        switch (key) {
            case "balloons" -> devices(key, "a balloon", BalloonDeviceOptions::new, balloons);
            case "mems" -> devices(key, "a memory device", MemoryDeviceOptions::new, mems);
            default -> {
                return false;
            }
        }
        return true;
    }

    private <C> void devices(String key, String kind, Supplier<DeviceOptions<C>> options, List<C> devices)
            throws IOException, ConfigException {
        expect(parser.nextToken(), JsonToken.START_ARRAY, key + " must be a list");
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            expect(parser.currentToken(), JsonToken.START_OBJECT, kind + " must be a mapping, such as - vm: NAME");
            devices.add(device(options.get()));
        }
    }

    private <C> C device(DeviceOptions<C> options) throws IOException, ConfigException {
        String start = place.get();
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String key = parser.currentName();
            String where = place.get();
            String value = scalar(key);
            try {
                options.set(key, DeviceOptions.isPath(key) ? path(value).toString() : value);
            } catch (ConfigException e) {
                throw e.at(where);
            }
        }
        try {
            return options.toConfig();
        } catch (ConfigException e) {
            throw e.at(start);
        }
    }

    /** The text of the single value that follows. */
    String scalar(String key) throws IOException, ConfigException {
        JsonToken token = parser.nextToken();
        if (!token.isScalarValue() || token == JsonToken.VALUE_NULL) {
            throw complaint("\"" + key + "\" must be a single value");
        }
        return parser.getText();
    }

    /** @throws ConfigException without the place, if the text is empty or no path */
    Path path(String text) throws ConfigException {
        if (text.isEmpty()) {
            throw new ConfigException("the path is empty");
        }
        return paths.resolve(text);
    }

    void expect(JsonToken found, JsonToken wanted, String rule) throws ConfigException {
        if (found != wanted) {
            throw complaint(rule);
        }
    }

    ConfigException complaint(String what) {
        return new ConfigException(place.get() + ": " + what);
    }
}
