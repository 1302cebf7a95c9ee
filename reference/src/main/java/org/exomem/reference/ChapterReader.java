package org.exomem.reference;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Reads the rules of one chapter, line by line. */
final class ChapterReader {
    private static final String NOT_OBSERVABLE = "Not observable";
    private static final String FENCE = "```";

    /** The sentence that names the party that rules bind by default. */
    private static final Pattern DEFAULT = Pattern.compile("Where nothing else is said, a rule binds .*");

    private static final Pattern BOLD = Pattern.compile("\\*\\*([^*]+)\\*\\*");

    /** A rule that is a paragraph, a list item or a cell, with an optional party. */
    private static final Pattern ITEM = Pattern.compile(
            "(?:- )?\\*\\*(?<id>" + Chapter.ID + ")\\*\\* *(?:\\*(?<binds>[A-Za-z -]+):\\* *)?(?<text>.*)");

    private static final Pattern CELL_END = Pattern.compile("(?<!\\\\)\\|");
    private static final Pattern DELIMITERS = Pattern.compile("[|: -]+");
    private static final Pattern LINK = Pattern.compile("\\[([^]]+)]\\([^)]+\\)");
    private static final Pattern EMPHASIS =
            Pattern.compile("(?<![\\w*`])\\*{1,2}(?=\\S)([^*`]+)(?<=\\S)\\*{1,2}(?![\\w*`])");

    private static final String ID_COLUMN = "id";
    private static final String BINDS_COLUMN = "binds";
    private static final String RULE_COLUMN = "rule";
    /** Columns that give the origin of a rule. */
    private static final List<String> ORIGIN_COLUMNS = List.of("section", "from");

    private final String file;
    private final List<Chapter.Rule> rules = new ArrayList<>();
    private final Map<String, String> notObservable = new LinkedHashMap<>();
    private String title = "";
    private String section = "";
    private @Nullable Party everybody;
    private int line;

    /** The headings of the present table; empty outside of tables. */
    private List<String> columns = List.of();
    /** The present paragraph or list item, if it is a rule. */
    private @Nullable Item item;

    private record Item(String id, Party binds, StringBuilder text) {}

    ChapterReader(String file) {
        this.file = file;
    }

    Chapter read(List<String> lines) {
        boolean fenced = false;
        for (String each : lines) {
            line++;
            if (each.startsWith(FENCE)) {
                endBlock();
                fenced = !fenced;
            } else if (!fenced) {
                read(each);
            }
        }
        endBlock();
        return new Chapter(file, title, rules, notObservable);
    }

    private void read(String text) {
        if (text.startsWith("#")) {
            endBlock();
            String heading = text.substring(text.indexOf(' ') + 1).strip();
            if (text.startsWith("# ")) {
                title = heading;
            }
            section = heading;
        } else if (text.isBlank()) {
            endBlock();
        } else if (text.startsWith("|")) {
            endItem();
            row(cells(text));
        } else {
            columns = List.of();
            prose(text.strip());
        }
    }

    private void prose(String text) {
        if (DEFAULT.matcher(text).matches()) {
            Matcher bold = BOLD.matcher(text);
            everybody = party(bold.find() ? bold.group(1) : "");
        }
        Matcher start = ITEM.matcher(text);
        if (start.matches()) {
            endItem();
            item = new Item(
                    start.group("id"),
                    party(start.group("id"), start.group("binds")),
                    new StringBuilder(start.group("text")));
        } else if (text.startsWith("- ")) {
            endItem();
        } else if (item != null) {
            item.text.append(' ').append(text);
        }
    }

    private void row(List<String> cells) {
        boolean rule = Chapter.ID.matcher(cells.getFirst()).matches();
        if (columns.isEmpty()) {
            if (rule) {
                throw complaint(cells.getFirst()
                        + " is outside of a table: an empty line separates it, or the headings are missing");
            }
            columns = cells;
        } else if (cells.size() != columns.size()) {
            throw complaint("a row has " + cells.size() + " cells, but its table has " + columns.size() + " columns");
        } else if (rule && section.equals(NOT_OBSERVABLE)) {
            notObservable.put(cells.getFirst(), cells.getLast());
        } else if (rule) {
            rules.add(rule(cells));
        } else {
            cells.forEach(this::cell);
        }
    }

    /**
     * A row of a table of rules. If no single column contains the whole rule, the headings of its columns are part of
     * the text.
     */
    private Chapter.Rule rule(List<String> cells) {
        String id = cells.getFirst();
        String binds = null;
        String origin = null;
        List<String> parts = new ArrayList<>();
        for (int i = 0; i < cells.size(); i++) {
            String column = columns.get(i);
            String cell = cells.get(i);
            if (column.equals(BINDS_COLUMN)) {
                binds = cell;
            } else if (ORIGIN_COLUMNS.contains(column)) {
                origin = cell;
            } else if (!column.equals(ID_COLUMN)) {
                parts.add(columns.contains(RULE_COLUMN) ? cell : column + ": " + cell);
            }
        }
        return new Chapter.Rule(
                id,
                party(id, binds),
                section,
                plain(String.join("; ", parts)),
                Optional.ofNullable(origin).map(ChapterReader::plain));
    }

    /** A cell of another table; it may be a rule by itself. */
    private void cell(String text) {
        Matcher start = ITEM.matcher(text);
        if (start.matches()) {
            String id = start.group("id");
            rules.add(new Chapter.Rule(
                    id, party(id, start.group("binds")), section, plain(start.group("text")), Optional.empty()));
        }
    }

    private void endBlock() {
        columns = List.of();
        endItem();
    }

    private void endItem() {
        if (item != null) {
            rules.add(new Chapter.Rule(item.id, item.binds, section, plain(item.text.toString()), Optional.empty()));
            item = null;
        }
    }

    private Party party(String id, @Nullable String text) {
        if (text != null) {
            return party(text);
        }
        if (everybody == null) {
            throw complaint(id + " does not state whom it binds, and neither does the chapter");
        }
        return everybody;
    }

    private Party party(String text) {
        return Stream.of(Party.values())
                .filter(party -> party.toString().equals(text))
                .findFirst()
                .orElseThrow(() -> complaint("\"" + text + "\" is not a party that a rule can bind"));
    }

    private CatalogueException complaint(String message) {
        return new CatalogueException(file + ":" + line + ": " + message);
    }

    private static List<String> cells(String row) {
        String inner = row.strip();
        inner = inner.substring(1, inner.endsWith("|") && inner.length() > 1 ? inner.length() - 1 : inner.length());
        if (DELIMITERS.matcher(inner).matches()) {
            // The separator below the headings, or an empty row.
            return List.of(CELL_END.split(inner, -1));
        }
        return Stream.of(CELL_END.split(inner, -1)).map(String::strip).toList();
    }

    /** The text without links and emphasis. Code keeps its backticks. */
    private static String plain(String markdown) {
        String text = LINK.matcher(markdown).replaceAll("$1");
        return EMPHASIS.matcher(text).replaceAll("$1").strip();
    }
}
