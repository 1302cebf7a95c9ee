package org.exomem.images.manifest;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.jspecify.annotations.Nullable;

/** The fields of one object of a manifest. Each field is taken once, with its required type, and none may be left. */
final class Fields {
    private final String where;
    private final Map<String, Object> left;

    private Fields(String where, Map<String, Object> left) {
        this.where = where;
        this.left = left;
    }

    /** @param where the object's name in messages; empty for the manifest itself */
    static Fields of(String where, Object value) throws ImageException {
        if (!(value instanceof Map<?, ?> object)) {
            throw invalid((where.isEmpty() ? "the manifest" : "\"" + where + "\"") + " is not an object");
        }
        Map<String, Object> fields = new HashMap<>();
        object.forEach((name, member) -> fields.put((String) name, member));
        return new Fields(where, fields);
    }

    static ImageException invalid(String why) {
        return new ImageException(Fault.INVALID, why);
    }

    /** The full name of a field, for messages. */
    private String name(String field) {
        return "\"" + (where.isEmpty() ? "" : where + ".") + field + "\"";
    }

    private Object take(String field) throws ImageException {
        Object value = left.remove(field);
        if (value == null) {
            throw invalid(name(field) + " is missing");
        }
        return value;
    }

    boolean has(String field) {
        return left.containsKey(field);
    }

    String text(String field, int mostCharacters) throws ImageException {
        return text(name(field), take(field), mostCharacters);
    }

    private static String text(String name, @Nullable Object value, int mostCharacters) throws ImageException {
        if (!(value instanceof String text)) {
            throw invalid(name + " is not a string");
        }
        if (text.length() > mostCharacters) {
            throw invalid(name + " has " + text.length() + " characters, more than " + mostCharacters);
        }
        if (text.indexOf('\0') >= 0) {
            throw invalid(name + " has a zero character");
        }
        return text;
    }

    Optional<String> optionalText(String field, int mostCharacters) throws ImageException {
        return has(field) ? Optional.of(text(field, mostCharacters)) : Optional.empty();
    }

    /** A number from 0 to {@code most}. */
    long number(String field, long most) throws ImageException {
        if (!(take(field) instanceof Long number)) {
            throw invalid(name(field) + " is not a number");
        }
        if (number < 0 || number > most) {
            throw invalid(name(field) + " is " + number + ", which is not within 0 to " + most);
        }
        return number;
    }

    boolean flag(String field) throws ImageException {
        if (!(take(field) instanceof Boolean flag)) {
            throw invalid(name(field) + " is neither true nor false");
        }
        return flag;
    }

    List<String> texts(String field, int most, int mostCharacters) throws ImageException {
        List<String> texts = new ArrayList<>();
        for (Object value : list(field, most)) {
            texts.add(text("\"" + field + "[" + texts.size() + "]\"", value, mostCharacters));
        }
        return List.copyOf(texts);
    }

    List<Fields> objects(String field, int most) throws ImageException {
        List<Fields> objects = new ArrayList<>();
        for (Object value : list(field, most)) {
            objects.add(of(field + "[" + objects.size() + "]", value));
        }
        return objects;
    }

    private List<?> list(String field, int most) throws ImageException {
        if (!(take(field) instanceof List<?> list)) {
            throw invalid(name(field) + " is not a list");
        }
        if (list.size() > most) {
            throw invalid(name(field) + " has " + list.size() + " entries, more than " + most);
        }
        return list;
    }

    Fields object(String field) throws ImageException {
        return of(field, take(field));
    }

    /** An object of any content, as JSON. */
    Object any(String field) throws ImageException {
        Object value = take(field);
        if (!(value instanceof Map)) {
            throw invalid(name(field) + " is not an object");
        }
        return value;
    }

    /** @throws ImageException if a field was not taken: a manifest of this version has no field of that name */
    void expectNoMore() throws ImageException {
        if (!left.isEmpty()) {
            throw invalid("a manifest of version " + Manifest.VERSION + " has no "
                    + name(left.keySet().iterator().next()));
        }
    }
}
