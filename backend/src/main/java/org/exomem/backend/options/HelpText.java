package org.exomem.backend.options;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The help of a command, 80 columns wide. */
final class HelpText {
    private static final int WIDTH = 80;
    private static final String INDENT = "  ";
    /** Where the second column begins; what is too long for the first has a line of its own. */
    private static final int SECOND = 24;

    private final StringBuilder text = new StringBuilder();

    static String of(Usage usage, List<Section> common) {
        HelpText help = new HelpText();
        help.synopsis(usage);
        for (String paragraph : usage.description()) {
            help.line("");
            help.paragraph(paragraph, 0, 0);
        }
        help.heading(usage.parameters().isEmpty() ? "" : "Arguments");
        for (Argument.Parameter parameter : usage.parameters()) {
            help.row(parameter.label(), parameter.description());
        }
        help.heading("Options");
        for (Argument.Option option : usage.options()) {
            if (!option.hidden()) {
                help.row(option.shown(), option.description());
            }
        }
        help.row("-h, --help", "Shows this.");
        help.row("-V, --version", "Shows the version.");
        usage.sections().forEach(help::section);
        common.forEach(help::section);
        return help.text.toString();
    }

    /** Lines of two columns. */
    static List<String> rows(Map<String, String> rows) {
        HelpText help = new HelpText();
        rows.forEach(help::row);
        return help.text.toString().lines().toList();
    }

    private void synopsis(Usage usage) {
        List<String> words = new ArrayList<>();
        for (Argument.Option option : usage.options()) {
            if (option.required()) {
                words.add(option.shown());
            }
        }
        words.add("[OPTIONS]");
        for (Argument.Parameter parameter : usage.parameters()) {
            words.add(parameter.required() ? parameter.label() : "[" + parameter.label() + "]");
        }
        line("Usage: exomem " + usage.name() + " " + String.join(" ", words));
    }

    private void section(Section section) {
        heading(section.heading());
        section.lines().forEach(this::line);
    }

    private void heading(String heading) {
        if (!heading.isEmpty()) {
            line("");
            line(heading + ":");
        }
    }

    private void row(String first, String second) {
        String start = INDENT + first;
        if (start.length() + INDENT.length() > SECOND) {
            line(start);
            start = "";
        }
        text.append(start).append(" ".repeat(SECOND - start.length()));
        paragraph(second, SECOND, SECOND);
    }

    /** Words, as many in a line as fit. */
    private void paragraph(String words, int column, int indent) {
        int at = column;
        boolean first = true;
        for (String word : words.split(" ", -1)) {
            if (!first && at + 1 + word.length() > WIDTH) {
                text.append('\n').append(" ".repeat(indent));
                at = indent;
                first = true;
            }
            text.append(first ? "" : " ").append(word);
            at += word.length() + (first ? 0 : 1);
            first = false;
        }
        text.append('\n');
    }

    private void line(String line) {
        text.append(line.stripTrailing()).append('\n');
    }
}
