package org.exomem.backend.config;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The devices in a control command: an object with {@code balloons} and {@code mems}, in the format of a configuration file.
 */
public final class DeviceArguments {
    private DeviceArguments() {}

    /**
     * Reads the devices. Paths must be absolute, because client and server may run in different folders.
     *
     * @throws ConfigException if the object is wrong; the message says where and why
     */
    public static ServeConfig read(ObjectNode arguments) throws ConfigException {
        try (JsonParser json = arguments.traverse()) {
            json.nextToken();
            DeviceReader devices = new DeviceReader(
                    json, () -> "argument " + json.getParsingContext().pathAsPointer(), DeviceArguments::absolute);
            while (json.nextToken() == JsonToken.FIELD_NAME) {
                String key = json.currentName();
                if (!devices.read(key)) {
                    throw new ConfigException("this command has no argument \"" + key + "\"");
                }
            }
            return new ServeConfig(Optional.empty(), devices.balloons(), devices.mems(), Optional.empty());
        } catch (IOException e) {
            // Not possible: the object is in memory.
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Converts {@code --balloon} and {@code --mem} options to the arguments that {@link #read} takes. Relative paths are
     * relative to the folder of this process.
     *
     * @throws ConfigException if an option is wrong
     */
    public static ObjectNode of(List<String> balloons, List<String> mems) throws ConfigException {
        ObjectNode arguments = JsonNodeFactory.instance.objectNode();
        if (!balloons.isEmpty()) {
            ArrayNode list = arguments.putArray("balloons");
            for (String option : balloons) {
                ServeConfig.balloon(option);
                put(list.addObject(), option);
            }
        }
        if (!mems.isEmpty()) {
            ArrayNode list = arguments.putArray("mems");
            for (String option : mems) {
                ServeConfig.mem(option);
                put(list.addObject(), option);
            }
        }
        return arguments;
    }

    private static void put(ObjectNode device, String text) throws ConfigException {
        for (OptionList.Option option : OptionList.parse(text)) {
            device.put(
                    option.key(),
                    DeviceOptions.isPath(option.key())
                            ? Value.path(option.value()).toString()
                            : option.value());
        }
    }

    private static Path absolute(String text) throws ConfigException {
        Path path = Value.path(text);
        if (!text.startsWith("/")) {
            throw new ConfigException("\"" + text + "\" is not an absolute path");
        }
        return path;
    }
}
