package org.exomem.cli.options;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.Model.UsageMessageSpec;

/**
 * A usage as picocli's model. It is built with picocli's programming interface and not with annotations: reading
 * annotations takes longer than everything else in a client command.
 */
final class PicocliSpec {
    private static final int WIDTH = 80;

    private PicocliSpec() {}

    /** A parser of the usage's options and parameters. */
    static picocli.CommandLine parser(Usage usage) {
        picocli.CommandLine line = new picocli.CommandLine(spec(usage));
        // A word that begins with @ is a name, not a file with more words.
        line.setExpandAtFiles(false);
        line.setPosixClusteredShortOptionsAllowed(false);
        // A size may be negative. Unknown options are found afterwards.
        line.setUnmatchedOptionsArePositionalParams(true);
        line.setUnmatchedOptionsAllowedAsOptionParameters(false);
        return line;
    }

    /** The usage's help, 80 columns wide. */
    static String help(Usage usage, List<Section> common) {
        CommandSpec spec = spec(usage);
        spec.addOption(option("Shows this help.", "-h", "--help"));
        spec.addOption(option("Shows the version.", "-V", "--version"));
        Map<String, Section> sections = new LinkedHashMap<>();
        usage.sections().forEach(section -> sections.put(section.heading(), section));
        common.forEach(section -> sections.put(section.heading(), section));
        UsageMessageSpec message = spec.usageMessage();
        message.width(WIDTH);
        message.sortOptions(false);
        message.autoWidth(false);
        message.abbreviateSynopsis(true);
        message.customSynopsis(escaped(synopsis(usage)));
        message.description(usage.description().stream()
                .map(paragraph -> "%n" + escaped(paragraph))
                .toArray(String[]::new));
        message.parameterListHeading("%nArguments:%n");
        message.optionListHeading("%nOptions:%n");
        List<String> footer = new ArrayList<>();
        sections.values().forEach(section -> {
            footer.add("");
            footer.add(escaped(section.heading()) + ":");
            section.lines().forEach(line -> footer.add(escaped(line)));
        });
        message.footer(footer.toArray(String[]::new));
        return new picocli.CommandLine(spec).getUsageMessage(Help.Ansi.OFF);
    }

    /** Lines of two columns; the second is wrapped. */
    static List<String> rows(Map<String, String> rows) {
        Help.TextTable table = Help.TextTable.forColumns(
                Help.defaultColorScheme(Help.Ansi.OFF),
                new Help.Column(22, 2, Help.Column.Overflow.SPAN),
                new Help.Column(WIDTH - 22, 2, Help.Column.Overflow.WRAP));
        rows.forEach(table::addRowValues);
        return table.toString().lines().toList();
    }

    private static CommandSpec spec(Usage usage) {
        CommandSpec spec = CommandSpec.create().name("exomem " + usage.name());
        // A text that shows ${…} means it: it is an example for a shell.
        spec.interpolateVariables(false);
        usage.options().forEach(option -> spec.addOption(option(option)));
        for (int i = 0; i < usage.parameters().size(); i++) {
            Argument.Parameter parameter = usage.parameters().get(i);
            PositionalParamSpec.Builder positional = parameter.repeatable()
                    ? PositionalParamSpec.builder()
                            .index(i + "..*")
                            .arity("0..*")
                            .type(List.class)
                            .auxiliaryTypes(String.class)
                    : PositionalParamSpec.builder().index(String.valueOf(i)).type(String.class);
            spec.addPositional(positional
                    .paramLabel(parameter.label())
                    .description(escaped(parameter.description()))
                    .required(parameter.required())
                    .build());
        }
        return spec;
    }

    private static OptionSpec option(Argument.Option option) {
        OptionSpec.Builder builder = OptionSpec.builder(option.name())
                .description(escaped(option.description()))
                .required(option.required())
                .hidden(option.hidden());
        if (option.label() == null) {
            builder.arity("0").type(boolean.class);
        } else if (option.repeatable()) {
            builder.arity("1").type(List.class).auxiliaryTypes(String.class).paramLabel(option.label());
        } else {
            builder.arity("1").type(String.class).paramLabel(option.label());
        }
        return builder.build();
    }

    private static OptionSpec option(String description, String shortName, String longName) {
        return OptionSpec.builder(shortName, longName)
                .arity("0")
                .type(boolean.class)
                .description(description)
                .build();
    }

    static String synopsis(Usage usage) {
        List<String> words = new ArrayList<>();
        words.add("exomem " + usage.name());
        for (Argument.Option option : usage.options()) {
            if (option.required()) {
                words.add(option.shown());
            }
        }
        words.add("[OPTIONS]");
        for (Argument.Parameter parameter : usage.parameters()) {
            words.add(parameter.shown());
        }
        return String.join(" ", words);
    }

    /** Picocli treats all texts as format strings. */
    private static String escaped(String text) {
        return text.replace("%", "%%");
    }
}
