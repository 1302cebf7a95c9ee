package org.exomem.backend.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import org.exomem.backend.qmp.QmpException;

/** The arguments of one command. Each is asked for by name; {@link #end} refuses those that nobody asked for. */
final class Arguments {
    private final ObjectNode json;
    private final Set<String> known = new HashSet<>();

    Arguments(ObjectNode json) {
        this.json = json;
    }

    String text(String name) {
        return optionalText(name).orElseThrow(() -> missing(name));
    }

    Path absolutePath(String name) {
        QmpException refusal = QmpException.generic("argument \"" + name + "\" must be an absolute path");
        try {
            Path path = Path.of(text(name));
            if (path.isAbsolute()) {
                return path;
            }
        } catch (InvalidPathException e) {
            refusal.initCause(e);
        }
        throw refusal;
    }

    /** Absolute, or relative to where exomem serves. */
    Optional<Path> optionalPath(String name) {
        return optionalText(name).map(text -> {
            try {
                return Path.of(text);
            } catch (InvalidPathException e) {
                QmpException refusal =
                        QmpException.generic("argument \"" + name + "\" can't be a path: " + e.getReason());
                refusal.initCause(e);
                throw refusal;
            }
        });
    }

    Optional<String> optionalText(String name) {
        return argument(name).map(value -> {
            if (!value.isTextual()) {
                throw QmpException.generic("argument \"" + name + "\" must be a string");
            }
            return value.textValue();
        });
    }

    long integer(String name, long least, long most) {
        return integer(name, argument(name).orElseThrow(() -> missing(name)), least, most);
    }

    long integer(String name, long least, long most, long otherwise) {
        return argument(name).map(value -> integer(name, value, least, most)).orElse(otherwise);
    }

    boolean flag(String name, boolean otherwise) {
        return argument(name)
                .map(value -> {
                    if (!value.isBoolean()) {
                        throw QmpException.generic("argument \"" + name + "\" must be true or false");
                    }
                    return value.booleanValue();
                })
                .orElse(otherwise);
    }

    private static long integer(String name, JsonNode value, long least, long most) {
        if (!value.isIntegralNumber()
                || !value.canConvertToLong()
                || value.longValue() < least
                || value.longValue() > most) {
            throw QmpException.generic(
                    "argument \"" + name + "\" must be a whole number from " + least + " to " + most);
        }
        return value.longValue();
    }

    void end() {
        for (String name : (Iterable<String>) json::fieldNames) {
            if (!known.contains(name)) {
                throw QmpException.generic("argument \"" + name + "\" is not one of this command");
            }
        }
    }

    private Optional<JsonNode> argument(String name) {
        known.add(name);
        return Optional.ofNullable(json.get(name));
    }

    private static QmpException missing(String name) {
        return QmpException.generic("argument \"" + name + "\" is missing");
    }
}
