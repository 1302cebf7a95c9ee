package org.exomem.backend.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Commands and events in the format of {@code query-qmp-schema}: a list of {@code SchemaInfo}, as QEMU's {@code
 * qapi/introspect.json} defines it (CTL-18). Types other than the built-in ones have numbers as names, as in QEMU, so that
 * clients do not use them.
 */
final class Schema {
    private final ArrayNode list = JsonNodeFactory.instance.arrayNode();
    private final Map<Type, String> names = new LinkedHashMap<>();

    private Schema() {}

    /** @param events the data of each event, by event name */
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

    /** Returns the name of a type. At its first use, adds the type to the list. */
    private String name(Type type) {
        return switch (type) {
            case Type.Any any -> builtIn(Type.ANY, "any", "value");
            case Type.Text text -> builtIn(Type.TEXT, "str", "string");
            case Type.Flag flag -> builtIn(Type.FLAG, "bool", "boolean");
            // Without ranges: QMP's schema has no member for them.
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
                // In QMP's schema a member is optional if it has a default, which is always null.
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
