package org.exomem.reference.html;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The layout of a structure in memory. The chapters write it in code blocks that are marked as {@code layout}: one line
 * for each field, with its offset, its type and its name in either order, and its meaning. A line that begins with a
 * letter in the first column is the heading of the next structure. A line without an offset is a field whose position
 * depends on the fields before it. If its text begins far to the right, it continues the text of the line before.
 *
 * @param title empty if the block has one structure only
 */
record Layout(String title, List<Field> fields) {
    private static final Pattern OFFSET = Pattern.compile("(?<offset>[0-9]+) +(?<rest>.*)");
    private static final String SCALAR = "(?:le|be|u|s)(?:8|16|32|64)";
    private static final Pattern TYPE_FIRST = Pattern.compile("(?<type>" + SCALAR + ") +(?<rest>\\S.*)");
    private static final Pattern TYPE_SECOND =
            Pattern.compile("(?<name>\\S+(?: \\S+)*) +(?<type>" + SCALAR + "|[0-9]+ bytes)(?:,? +(?<text>.*))?");
    private static final Pattern ARRAY = Pattern.compile("(?<name>.*)\\[(?<count>[0-9]+)]");
    private static final Pattern BYTES = Pattern.compile("([0-9]+) bytes");
    private static final Pattern COLUMNS = Pattern.compile(" {2,}");
    /** A line whose text begins at or after this column continues the text of the line before. */
    private static final int TEXT_COLUMN = 10;

    /**
     * A field.
     *
     * @param offset in bytes; empty if it depends on fields before it
     * @param type empty if the layout gives none
     * @param text its meaning; may be empty
     */
    record Field(OptionalInt offset, String type, String name, String text) {
        /** The field's size in bytes, if its type determines it. */
        OptionalInt size() {
            Matcher bytes = BYTES.matcher(type);
            if (bytes.matches()) {
                return OptionalInt.of(Integer.parseInt(bytes.group(1)));
            }
            if (!type.matches(SCALAR)) {
                return OptionalInt.empty();
            }
            int size = Integer.parseInt(type.replaceAll("[^0-9]", "")) / 8;
            Matcher array = ARRAY.matcher(name);
            if (array.matches()) {
                return OptionalInt.of(size * Integer.parseInt(array.group("count")));
            }
            return name.contains("[") ? OptionalInt.empty() : OptionalInt.of(size);
        }

        private Field and(String more) {
            return new Field(offset, type, name, (text + " " + more).strip());
        }
    }

    Layout {
        fields = List.copyOf(fields);
    }

    /** Parses the structures of a block. */
    static List<Layout> parse(String block) {
        List<Layout> layouts = new ArrayList<>();
        String title = "";
        List<Field> fields = new ArrayList<>();
        for (String line : block.split("\n", -1)) {
            if (line.isBlank()) {
                continue;
            }
            if (Character.isLetter(line.charAt(0))) {
                if (!fields.isEmpty()) {
                    layouts.add(new Layout(title, fields));
                    fields.clear();
                }
                title = line.strip();
            } else if (line.indexOf(line.strip()) >= TEXT_COLUMN && !fields.isEmpty()) {
                fields.add(fields.removeLast().and(line.strip()));
            } else {
                fields.add(field(line.strip()));
            }
        }
        layouts.add(new Layout(title, fields));
        return layouts;
    }

    private static Field field(String line) {
        Matcher offset = OFFSET.matcher(line);
        if (offset.matches()) {
            return field(OptionalInt.of(Integer.parseInt(offset.group("offset"))), offset.group("rest"));
        }
        return field(OptionalInt.empty(), line);
    }

    private static Field field(OptionalInt offset, String rest) {
        Matcher typeFirst = TYPE_FIRST.matcher(rest);
        if (typeFirst.matches()) {
            String[] parts = COLUMNS.split(typeFirst.group("rest"), 2);
            return new Field(offset, typeFirst.group("type"), parts[0], parts.length > 1 ? parts[1] : "");
        }
        if (rest.startsWith("{")) {
            int end = rest.indexOf('}') + 1;
            if (rest.startsWith("[", end)) {
                end = rest.indexOf(']', end) + 1;
            }
            return new Field(
                    offset, "", rest.substring(0, end), rest.substring(end).strip());
        }
        Matcher typeSecond = TYPE_SECOND.matcher(rest);
        if (typeSecond.matches()) {
            String text = Optional.ofNullable(typeSecond.group("text")).orElse("");
            return new Field(offset, typeSecond.group("type"), typeSecond.group("name"), text.strip());
        }
        String[] parts = COLUMNS.split(rest, 3);
        return new Field(
                offset, parts.length > 2 ? parts[1] : "", parts[0], parts.length > 1 ? parts[parts.length - 1] : "");
    }

    /** The size in bytes of a field with an offset: by its type, or up to the next field. Empty if its end is open. */
    OptionalInt size(int index) {
        Field field = fields.get(index);
        if (field.size().isPresent() || field.offset().isEmpty() || index + 1 == fields.size()) {
            return field.size();
        }
        OptionalInt next = fields.get(index + 1).offset();
        return next.isPresent()
                ? OptionalInt.of(next.getAsInt() - field.offset().getAsInt())
                : OptionalInt.empty();
    }
}
