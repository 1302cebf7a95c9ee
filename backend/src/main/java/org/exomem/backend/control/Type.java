package org.exomem.backend.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.exomem.backend.qmp.QmpException;

/**
 * The type of a value on the control socket. Arguments of commands are checked against it, and {@code query-qmp-schema} is
 * generated from it ({@link Schema}).
 */
sealed interface Type {
    /** A string. */
    Type TEXT = new Text();
    /** True or false. */
    Type FLAG = new Flag();
    /** Bytes, or another number of at least 0. */
    Type COUNT = new Whole(0, Long.MAX_VALUE);

    /** Any JSON value, which the command checks itself. */
    Type ANY = new Any();

    /** A whole number from {@code least} to {@code most}. */
    static Type whole(long least, long most) {
        return new Whole(least, most);
    }

    /** One of these words. */
    static Type choice(String... words) {
        return new Choice(List.of(words));
    }

    /** A list of any length. */
    static Type list(Type element) {
        return new Sequence(element);
    }

    /** An object with these members, and no others. */
    static Structure object(Member... members) {
        return new Structure(List.of(members));
    }

    /** A member that is always present. */
    static Member with(String name, Type type) {
        return new Member(name, type, false);
    }

    /** An optional member. */
    static Member maybe(String name, Type type) {
        return new Member(name, type, true);
    }

    record Any() implements Type {}

    record Text() implements Type {}

    record Flag() implements Type {}

    record Whole(long least, long most) implements Type {}

    record Choice(List<String> words) implements Type {}

    record Sequence(Type element) implements Type {}

    record Structure(List<Member> members) implements Type {
        /**
         * Checks the arguments of a command (CTL-2).
         *
         * @throws QmpException naming the first argument that is missing, wrong, or unknown
         */
        void checkArguments(ObjectNode arguments) {
            for (Member member : members) {
                JsonNode value = arguments.get(member.name());
                if (value != null) {
                    member.type().check(member.name(), value);
                } else if (!member.optional()) {
                    throw QmpException.generic("argument \"" + member.name() + "\" is missing");
                }
            }
            for (String name : (Iterable<String>) arguments::fieldNames) {
                if (members.stream().noneMatch(member -> member.name().equals(name))) {
                    throw QmpException.generic("this command has no argument \"" + name + "\"");
                }
            }
        }
    }

    /** A member of an object. */
    record Member(String name, Type type, boolean optional) {}

    /**
     * Checks a value.
     *
     * @param name of the argument; for a member of another argument {@code outer.inner}
     * @throws QmpException if the value is not of this type
     */
    default void check(String name, JsonNode value) {
        switch (this) {
            case Any any -> {}
            case Text text -> require(value.isTextual(), name, "a string");
            case Flag flag -> require(value.isBoolean(), name, "true or false");
            case Whole whole ->
                require(
                        value.isIntegralNumber()
                                && value.canConvertToLong()
                                && value.longValue() >= whole.least
                                && value.longValue() <= whole.most,
                        name,
                        "a whole number from " + whole.least + " to " + whole.most);
            case Choice choice -> {
                require(value.isTextual(), name, "a string");
                if (!choice.words.contains(value.textValue())) {
                    throw QmpException.generic(
                            name + " \"" + value.textValue() + "\" is not one of " + String.join(", ", choice.words));
                }
            }
            case Sequence list -> {
                require(value.isArray(), name, "a list");
                value.forEach(element -> list.element.check(name + "[]", element));
            }
            case Structure structure -> {
                require(value.isObject(), name, "an object");
                for (Member member : structure.members) {
                    JsonNode inside = value.get(member.name);
                    require(inside != null || member.optional, name, "an object with \"" + member.name + "\"");
                    if (inside != null) {
                        member.type.check(name + "." + member.name, inside);
                    }
                }
                value.fieldNames()
                        .forEachRemaining(inside -> require(
                                structure.members.stream().anyMatch(member -> member.name.equals(inside)),
                                name,
                                "an object without \"" + inside + "\""));
            }
        }
    }

    private static void require(boolean right, String name, String type) {
        if (!right) {
            throw QmpException.generic("argument \"" + name + "\" must be " + type);
        }
    }
}
