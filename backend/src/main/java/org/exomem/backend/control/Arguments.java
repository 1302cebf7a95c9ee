package org.exomem.backend.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;
import org.exomem.backend.qmp.QmpException;

/** The arguments of one command, after their types were checked. */
final class Arguments {
    private final ObjectNode json;

    /** @param json has been checked ({@link Type.Structure#checkArguments}) */
    Arguments(ObjectNode json) {
        this.json = json;
    }

    String text(String name) {
        return json.path(name).asText();
    }

    Optional<String> optionalText(String name) {
        return argument(name).map(JsonNode::textValue);
    }

    Path absolutePath(String name) {
        Path path = path(name, text(name));
        if (!path.isAbsolute()) {
            throw QmpException.generic("argument \"" + name + "\" must be an absolute path");
        }
        return path;
    }

    /** An absolute path, or one relative to exomem's working directory. */
    Optional<Path> optionalPath(String name) {
        return optionalText(name).map(text -> path(name, text));
    }

    private static Path path(String name, String text) {
        if (text.isEmpty()) {
            throw QmpException.generic("argument \"" + name + "\" is an empty path");
        }
        try {
            return Path.of(text);
        } catch (InvalidPathException e) {
            QmpException refusal =
                    QmpException.generic("argument \"" + name + "\" is not a valid path: " + e.getReason());
            refusal.initCause(e);
            throw refusal;
        }
    }

    long integer(String name) {
        return json.path(name).longValue();
    }

    Optional<Long> optionalInteger(String name) {
        return argument(name).map(JsonNode::longValue);
    }

    long integer(String name, long otherwise) {
        return argument(name).map(JsonNode::longValue).orElse(otherwise);
    }

    boolean flag(String name, boolean otherwise) {
        return argument(name).map(JsonNode::booleanValue).orElse(otherwise);
    }

    /** The elements of a list; none if the argument is missing. */
    Iterable<JsonNode> list(String name) {
        return json.path(name);
    }

    /** All arguments, for a command that parses them itself. */
    ObjectNode all() {
        return json;
    }

    private Optional<JsonNode> argument(String name) {
        return Optional.ofNullable(json.get(name));
    }
}
