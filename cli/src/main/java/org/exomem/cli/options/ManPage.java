package org.exomem.cli.options;

import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Manual pages in the language of man(7), of a command or of the program as a whole. */
public final class ManPage {
    private final StringBuilder page = new StringBuilder();

    private ManPage() {}

    /** What all pages of a program share. @param date the date in the footer @param version of the program */
    public record Book(String program, String date, String version) {
        /** The name of a command's page. */
        public String name(String command) {
            return program + "-" + command.replace(' ', '-');
        }
    }

    /**
     * The page of a command.
     *
     * @param common sections that all commands have
     */
    static String of(Book book, Usage usage, List<Section> common) {
        ManPage page = new ManPage();
        String name = book.name(usage.name());
        page.head(book, name, usage.description().getFirst());
        page.macro("SH", "SYNOPSIS").text(PicocliSpec.synopsis(usage));
        page.macro("SH", "DESCRIPTION");
        page.paragraphs(usage.description());
        if (!usage.parameters().isEmpty()) {
            page.macro("SH", "ARGUMENTS");
            usage.parameters().forEach(each -> page.item(each.label(), each.description()));
        }
        page.macro("SH", "OPTIONS");
        usage.options().stream()
                .filter(option -> !option.hidden())
                .forEach(option -> page.item(option.shown(), option.description()));
        page.item("-h, --help", "Shows the help.");
        page.item("-V, --version", "Shows the version.");
        usage.sections().forEach(page::section);
        common.forEach(page::section);
        page.macro("SH", "SEE ALSO").text(book.program() + "(1)");
        return page.page.toString();
    }

    /**
     * The page of the program.
     *
     * @param about what the program is, in paragraphs; the first is the line under its name
     * @param summaries of all commands, by name
     */
    public static String of(Book book, List<String> about, Map<String, String> summaries, List<Section> common) {
        ManPage page = new ManPage();
        page.head(book, book.program(), about.getFirst());
        page.macro("SH", "SYNOPSIS").text(book.program() + " COMMAND [OPTIONS] ...");
        page.macro("SH", "DESCRIPTION");
        page.paragraphs(about);
        page.macro("SH", "COMMANDS");
        summaries.forEach((name, summary) -> page.item(name, summary + " See " + book.name(name) + "(1)."));
        common.forEach(page::section);
        return page.page.toString();
    }

    private void head(Book book, String name, String summary) {
        page.append(".TH \"")
                .append(escaped(name.toUpperCase(Locale.ROOT)))
                .append("\" \"1\" \"")
                .append(book.date())
                .append("\" \"")
                .append(escaped(book.program() + " " + book.version()))
                .append("\" \"User commands\"\n.nh\n.ad l\n");
        String line = summary.endsWith(".") ? summary.substring(0, summary.length() - 1) : summary;
        macro("SH", "NAME");
        page.append(escaped(name)).append(" \\- ").append(escaped(line)).append('\n');
    }

    private void paragraphs(List<String> paragraphs) {
        for (String paragraph : paragraphs) {
            page.append(".PP\n");
            text(paragraph);
        }
    }

    private void item(String term, String description) {
        page.append(".TP\n\\fB").append(escaped(term)).append("\\fR\n");
        text(description);
    }

    private void section(Section section) {
        macro("SH", section.heading().toUpperCase(Locale.ROOT));
        page.append(".nf\n");
        section.lines().forEach(this::text);
        page.append(".fi\n");
    }

    private ManPage macro(String name, String argument) {
        page.append('.').append(name).append(" \"").append(escaped(argument)).append("\"\n");
        return this;
    }

    private void text(String text) {
        String line = escaped(text);
        // A dot or an apostrophe at the beginning of a line would be a request.
        page.append(line.startsWith(".") || line.startsWith("'") ? "\\&" : "")
                .append(line)
                .append('\n');
    }

    private static String escaped(String text) {
        return text.replace("\\", "\\e")
                .replace("-", "\\-")
                .replace("\"", "\\(dq")
                .replace("'", "\\(aq")
                .replace("`", "\\(ga")
                .replace("^", "\\(ha")
                .replace("~", "\\(ti")
                // A line may be broken after these.
                .replace("|", "|\\:");
    }
}
