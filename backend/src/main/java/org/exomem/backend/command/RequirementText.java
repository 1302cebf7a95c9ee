package org.exomem.backend.command;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.text.Table;
import org.exomem.reference.Catalogue;
import org.exomem.reference.Requirement;
import org.exomem.reference.Source;

/** Requirements as text for people, and as JSON. */
final class RequirementText {
    private static final int WIDTH = 80;
    private static final int INDENT = 12;

    private RequirementText() {}

    /** The number of entries in each group, one line for each group. */
    static String groups(Catalogue catalogue, List<Requirement> requirements) {
        Map<String, List<Requirement>> groups = new LinkedHashMap<>();
        for (Requirement requirement : requirements) {
            groups.computeIfAbsent(requirement.group(), group -> new ArrayList<>())
                    .add(requirement);
        }
        Table table = new Table("GROUP", ">ENTRIES", ">OBSERVABLE", "FILE", "FIRST SECTION");
        groups.forEach((group, entries) -> table.add(
                group,
                String.valueOf(entries.size()),
                String.valueOf(entries.stream().filter(Requirement::observable).count()),
                catalogue.documentOf(entries.getFirst()).file(),
                entries.getFirst().section().replaceFirst("(Device|Driver) Requirements: ", "")));
        table.add(
                "all",
                String.valueOf(requirements.size()),
                String.valueOf(
                        requirements.stream().filter(Requirement::observable).count()),
                "",
                "");
        return table.toString();
    }

    /** One line for each requirement. */
    static String table(List<Requirement> requirements) {
        Table table = new Table("ID", "STRENGTH", "BINDS", "STATEMENT");
        for (Requirement requirement : requirements) {
            table.add(
                    requirement.id(),
                    requirement.strength().toString(),
                    requirement.binds().toString(),
                    requirement.statement());
        }
        return table.toString();
    }

    /** Everything about one requirement. */
    static String full(Catalogue catalogue, Requirement requirement) {
        Source source = catalogue.documentOf(requirement).source();
        StringBuilder text = new StringBuilder();
        wrapped(text, "", requirement.id());
        wrapped(text, "", requirement.statement());
        text.append(System.lineSeparator());
        row(text, "strength", requirement.strength().toString());
        row(text, "binds", requirement.binds().toString());
        row(text, "devices", requirement.devices().toString());
        row(
                text,
                "observable",
                requirement.unobservable().map(reason -> "no: " + reason).orElse("yes"));
        requirement.note().ifPresent(note -> row(text, "note", note));
        row(text, "section", requirement.section());
        row(text, "source", source.name() + ", " + source.publisher());
        row(text, "", source.url());
        row(text, "same as", String.join(", ", requirement.aliases()));
        row(text, "see", String.join(", ", requirement.see()));
        return text.toString();
    }

    private static void row(StringBuilder text, String name, String value) {
        if (!value.isEmpty()) {
            wrapped(text, (name + " ".repeat(INDENT)).substring(0, INDENT), value);
        }
    }

    /** Lines of words. The first line begins with a label, the others with spaces of the same width. */
    private static void wrapped(StringBuilder text, String label, String words) {
        StringBuilder line = new StringBuilder(label);
        for (String word : words.split(" ", -1)) {
            boolean first = line.length() == label.length();
            if (!first && line.length() + 1 + word.length() > WIDTH) {
                text.append(line).append(System.lineSeparator());
                line = new StringBuilder(" ".repeat(label.length()));
                first = true;
            }
            line.append(first ? "" : " ").append(word);
        }
        text.append(line).append(System.lineSeparator());
    }

    /** A list with everything about each requirement: the fields of {@code spec/catalogue}, and the source. */
    static ArrayNode json(Catalogue catalogue, List<Requirement> requirements) {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        for (Requirement requirement : requirements) {
            Source source = catalogue.documentOf(requirement).source();
            ObjectNode node = Json.object()
                    .put("id", requirement.id())
                    .put("strength", requirement.strength().toString())
                    .put("binds", requirement.binds().toString())
                    .put("section", requirement.section())
                    .put("statement", requirement.statement())
                    .put("observable", requirement.observable())
                    .put("devices", requirement.devices().toString());
            requirement.unobservable().ifPresent(reason -> node.put("reason", reason));
            requirement.note().ifPresent(note -> node.put("note", note));
            node.set("aliases", texts(requirement.aliases()));
            node.set("see", texts(requirement.see()));
            node.put("source", source.name());
            node.put("url", source.url());
            list.add(node);
        }
        return list;
    }

    private static ArrayNode texts(List<String> texts) {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        texts.forEach(list::add);
        return list;
    }
}
