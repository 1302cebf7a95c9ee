package org.exomem.backend.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Commands and events as {@code query-qmp-schema} tells them: a list of {@code SchemaInfo}, as QEMU's {@code
 * qapi/introspect.json} defines it (CTL-18). Types other than the built-in ones have numbers for names, as QEMU's have: they
 * are not for use.
 */
final class Schema {
    private final ArrayNode list = JsonNodeFactory.instance.arrayNode();
    private final Map<Type, String> names = new LinkedHashMap<>();

    private Schema() {}

    /** @param events what each event has in its data */
    static JsonNode of(Collection<Command> commands, Map<String, Type.Structure> events) {
        Schema schema = new Schema();
        for (Command command : commands) {
            schema.list
                    .addObject()
                    .put("name", command.name())
                    .put("meta-type", "command")
                    .put("arg-type", schema.name(command.arguments()))
                    .put("ret-type", schema.name(command.result()));
        }
        events.forEach((name, data) -> schema.list
                .addObject()
                .put("name", name)
                .put("meta-type", "event")
                .put("arg-type", schema.name(data)));
        return schema.list;
    }

    /** The name of a type; tells of it where it is named for the first time. */
    private String name(Type type) {
        return switch (type) {
            case Type.Any any -> builtIn(Type.ANY, "any", "value");
            case Type.Text text -> builtIn(Type.TEXT, "str", "string");
            case Type.Flag flag -> builtIn(Type.FLAG, "bool", "boolean");
            // Ranges are not told: a schema of QMP has no place for them.
            case Type.Whole whole -> builtIn(Type.COUNT, "int", "int");
            case Type.Sequence sequence -> {
                String element = name(sequence.element());
                String name = "[" + element + "]";
                if (names.putIfAbsent(type, name) == null) {
                    tell(name, "array").put("element-type", element);
                }
                yield name;
            }
            case Type.Choice choice -> {
                String known = names.get(type);
                yield known != null ? known : choice(choice);
            }
            case Type.Structure structure -> {
                String known = names.get(type);
                yield known != null ? known : structure(structure);
            }
        };
    }

    private String builtIn(Type type, String name, String json) {
        if (names.putIfAbsent(type, name) == null) {
            tell(name, "builtin").put("json-type", json);
        }
        return name;
    }

    private String choice(Type.Choice choice) {
        String name = number(choice);
        ObjectNode info = tell(name, "enum");
        ArrayNode members = info.putArray("members");
        choice.words().forEach(word -> members.addObject().put("name", word));
        ArrayNode values = info.putArray("values");
        choice.words().forEach(values::add);
        return name;
    }

    private String structure(Type.Structure structure) {
        String name = number(structure);
        ArrayNode members = tell(name, "object").putArray("members");
        for (Type.Member member : structure.members()) {
            ObjectNode info = members.addObject().put("name", member.name()).put("type", name(member.type()));
            if (member.optional()) {
                // In QMP's schema a member may be left out if it has a default, which is always null.
                info.putNull("default");
            }
        }
        return name;
    }

    private String number(Type type) {
        String name = Integer.toString(names.size());
        names.put(type, name);
        return name;
    }

    private ObjectNode tell(String name, String metaType) {
        return list.addObject().put("name", name).put("meta-type", metaType);
    }
}
