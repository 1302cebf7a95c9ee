package org.exomem.backend.launch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.JsonException;
import org.jspecify.annotations.Nullable;

/**
 * The value of one of QEMU's options: {@code type,name=value,…}, with a comma in a value doubled, or a JSON object. Parts
 * that are not changed keep their text. Immutable.
 */
final class VmmProperties {
    private static final String ON = "on";

    /** The first may have no name. */
    private final List<Property> properties;

    private final @Nullable ObjectNode json;

    private record Property(@Nullable String name, String value) {}

    private VmmProperties(List<Property> properties, @Nullable ObjectNode json) {
        this.properties = properties;
        this.json = json;
    }

    static VmmProperties parse(String text) {
        if (text.startsWith("{")) {
            try {
                if (Json.parse(text) instanceof ObjectNode object) {
                    return new VmmProperties(List.of(), object);
                }
            } catch (JsonException e) {
                // Then it is a value in which no property is looked up.
            }
        }
        List<Property> properties = new ArrayList<>();
        for (String part : split(text)) {
            int equals = part.indexOf('=');
            properties.add(
                    equals < 0
                            ? new Property(null, part)
                            : new Property(part.substring(0, equals), part.substring(equals + 1)));
        }
        return new VmmProperties(List.copyOf(properties), null);
    }

    private static List<String> split(String text) {
        List<String> parts = new ArrayList<>();
        StringBuilder part = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c != ',') {
                part.append(c);
            } else if (i + 1 < text.length() && text.charAt(i + 1) == ',') {
                part.append(c);
                i++;
            } else {
                parts.add(part.toString());
                part.setLength(0);
            }
        }
        parts.add(part.toString());
        return parts;
    }

    /** The first value, without a name or with this name: {@code socket} in {@code socket,id=c}, for example. */
    String type(String name) {
        if (json == null && !properties.isEmpty() && properties.getFirst().name() == null) {
            return properties.getFirst().value();
        }
        return get(name).orElse("");
    }

    Optional<String> get(String name) {
        if (json != null) {
            JsonNode value = json.get(name);
            return value == null || value.isContainerNode() ? Optional.empty() : Optional.of(value.asText());
        }
        return properties.stream()
                .filter(property -> name.equals(property.name()))
                .map(Property::value)
                .reduce((first, last) -> last);
    }

    /** True if a switch is on; its name alone means on. */
    boolean isOn(String name) {
        if (json != null) {
            return json.path(name).asBoolean();
        }
        boolean alone = properties.stream()
                .skip(1)
                .anyMatch(
                        property -> property.name() == null && property.value().equals(name));
        return alone || get(name).map(value -> value.equals(ON)).orElse(false);
    }

    /** Returns this value with a property set. */
    VmmProperties with(String name, String value) {
        if (json != null) {
            return new VmmProperties(properties, json.deepCopy().put(name, value));
        }
        List<Property> changed = without(name);
        changed.add(new Property(name, value));
        return new VmmProperties(List.copyOf(changed), null);
    }

    /** Returns this value with a switch on or off. */
    VmmProperties with(String name, boolean value) {
        return json != null
                ? new VmmProperties(properties, json.deepCopy().put(name, value))
                : with(name, value ? ON : "off");
    }

    private List<Property> without(String name) {
        List<Property> rest = new ArrayList<>(properties);
        rest.removeIf(property -> name.equals(property.name()));
        return rest;
    }

    /** The text for QEMU. */
    @Override
    public String toString() {
        if (json != null) {
            return json.toString();
        }
        List<String> parts = new ArrayList<>();
        for (Property property : properties) {
            String value = property.value().replace(",", ",,");
            parts.add(property.name() == null ? value : property.name() + "=" + value);
        }
        return String.join(",", parts);
    }
}
