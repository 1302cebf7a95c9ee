package org.exomem.reference;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The fields of a YAML mapping. Each is taken once. A field that was not taken at the end is unknown. */
final class Fields {
    private final String place;
    private final Map<String, Object> left;

    private Fields(String place, Map<String, Object> left) {
        this.place = place;
        this.left = left;
    }

    /** @param place the mapping's place in the file, for messages */
    static Fields of(String place, @Nullable Object node) {
        if (!(node instanceof Map<?, ?> map)) {
            throw new CatalogueException(place + ": must be fields with values");
        }
        Map<String, Object> fields = new LinkedHashMap<>();
        map.forEach((name, value) -> fields.put((String) name, value));
        return new Fields(place, fields);
    }

    /** Returns the same fields, for messages about another place. */
    Fields at(String otherPlace) {
        return new Fields(otherPlace, left);
    }

    CatalogueException complaint(String message) {
        return new CatalogueException(place + ": " + message);
    }

    /** Takes a text, which must not be empty. */
    String text(String name) {
        return optionalText(name).orElseThrow(() -> complaint(name + " is missing"));
    }

    Optional<String> optionalText(String name) {
        Object value = left.remove(name);
        if (value == null) {
            return Optional.empty();
        }
        if (!(value instanceof String text) || text.isBlank()) {
            throw complaint(name + " must be a text; one that looks like a number needs quotation marks");
        }
        return Optional.of(text.strip());
    }

    /** Takes one of the values of an enum, by its text. */
    <E extends Enum<E>> E choice(String name, Class<E> type) {
        String text = text(name);
        return Stream.of(type.getEnumConstants())
                .filter(value -> value.toString().equals(text))
                .findFirst()
                .orElseThrow(() -> complaint(name + ": \"" + text + "\" is not one of "
                        + Stream.of(type.getEnumConstants())
                                .map(Object::toString)
                                .collect(Collectors.joining(", "))));
    }

    boolean flag(String name) {
        if (!(left.remove(name) instanceof Boolean flag)) {
            throw complaint(name + " must be true or false");
        }
        return flag;
    }

    /** Takes a number that is not negative. */
    int number(String name) {
        if (!(left.remove(name) instanceof Integer number) || number < 0) {
            throw complaint(name + " must be a whole number, 0 or greater");
        }
        return number;
    }

    /** Takes a number that is not negative; 0 if the field is missing. */
    int optionalNumber(String name) {
        return left.containsKey(name) ? number(name) : 0;
    }

    List<Object> list(String name) {
        if (!(left.remove(name) instanceof List<?> list)) {
            throw complaint(name + " must be a list");
        }
        return new ArrayList<>(list);
    }

    /** Takes a list of texts; empty if the field is missing. */
    List<String> optionalTexts(String name) {
        return left.containsKey(name) ? texts(name) : List.of();
    }

    List<String> texts(String name) {
        List<String> texts = new ArrayList<>();
        for (Object each : list(name)) {
            if (!(each instanceof String text)) {
                throw complaint(name + " must be a list of texts");
            }
            texts.add(text);
        }
        return texts;
    }

    Fields fields(String name) {
        return of(place + ": " + name, left.remove(name));
    }

    /** Fails if a field was not taken. Called last. */
    void end() {
        if (!left.isEmpty()) {
            throw complaint("unknown field " + String.join(", ", left.keySet()));
        }
    }
}
