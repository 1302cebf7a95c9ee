package org.exomem.backend.command;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.exomem.cli.text.FileFault;
import org.exomem.cli.text.Similar;
import org.exomem.reference.Catalogue;
import org.exomem.reference.Requirement;
import org.exomem.reference.html.HtmlReference;
import org.exomem.reference.html.ReportException;
import org.exomem.reference.html.Run;
import org.exomem.reference.html.RunReader;
import org.jspecify.annotations.Nullable;

/** {@code exomem spec}. */
final class SpecCommand implements Command {
    /** The most similar ids in a message. */
    private static final int FEW = 5;

    private final List<String> words = new ArrayList<>();
    private boolean all;
    private boolean json;
    private @Nullable Path html;
    private final List<Path> reports = new ArrayList<>();

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Shows the requirements of VIRTIO, vhost-user and exomem's own protocols.",
                "The catalogue has an entry for each statement of VIRTIO and vhost-user with MUST, SHOULD or MAY,"
                        + " paraphrased, and one for each rule of exomem's chapters in spec/. Without arguments,"
                        + " lists the groups of entries. Shows a single entry in full, and lists several.");
        usage.words(
                "ID|SEARCH",
                "An id, a prefix of ids, a rule of the chapters in spec/, the number of a section, or words that an"
                        + " entry must all contain.",
                Completion.REQUIREMENT,
                words::add);
        usage.flag("--all", "Lists all entries.", () -> all = true);
        usage.flag("--json", "Prints JSON: a list of the entries with all their fields.", () -> json = true);
        usage.path(
                "--html",
                "DIR",
                "Writes entries and chapters as HTML pages into this folder. Open index.html in a browser.",
                value -> html = value);
        usage.repeatableOption(
                "--results",
                "FILE",
                "With --html: a report of \"exomem conform\" in JSON, whose results the pages show too.",
                Completion.FILE,
                value -> reports.add(Path.of(value)));
        usage.section(
                "Examples",
                "  exomem spec                        the groups",
                "  exomem spec balloon.hint.12        one entry in full",
                "  exomem spec ring.split.used        a group",
                "  exomem spec FPB-DESC-3             a rule of spec/, or its entry",
                "  exomem spec STR                    a chapter of spec/",
                "  exomem spec 5.15.6                 a section of VIRTIO",
                "  exomem spec device must reset      all entries with these words",
                "  exomem spec --all --json           everything, for a program",
                "  exomem spec --html reference       everything, for a browser");
    }

    @Override
    public int run(Streams streams) throws UsageException {
        if (all && !words.isEmpty()) {
            throw new UsageException("--all and \"" + String.join(" ", words) + "\" exclude each other");
        }
        if (html != null) {
            return writePages(streams, html);
        }
        if (!reports.isEmpty()) {
            throw new UsageException("--results needs --html");
        }
        Catalogue catalogue = Catalogue.load();
        Output output = new Output(streams, json);
        if (words.isEmpty()) {
            List<Requirement> requirements = catalogue.requirements();
            return output.show(
                    RequirementText.json(catalogue, requirements),
                    () -> all ? RequirementText.table(requirements) : RequirementText.groups(catalogue, requirements));
        }
        String wanted = String.join(" ", words);
        List<Requirement> found = catalogue.search(wanted);
        if (found.isEmpty()) {
            throw new CommandFailure(ExitCode.FAILED, nothing(wanted, catalogue));
        }
        return output.show(
                RequirementText.json(catalogue, found),
                () -> found.size() == 1
                        ? RequirementText.full(catalogue, found.getFirst())
                        : RequirementText.table(found));
    }

    private int writePages(Streams streams, Path folder) throws UsageException {
        if (all || json || !words.isEmpty()) {
            throw new UsageException("--html writes everything: only --results can be combined with it");
        }
        try {
            List<Run> runs = new ArrayList<>(RunReader.load());
            for (Path report : reports) {
                runs.add(RunReader.read(report));
            }
            HtmlReference.of(Catalogue.load(), runs).write(folder);
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, "the pages can't be written: " + FileFault.text(e));
        } catch (ReportException e) {
            throw new CommandFailure(ExitCode.FAILED, String.valueOf(e.getMessage()));
        }
        streams.out().println(folder.resolve("index.html"));
        streams.out().flush();
        return ExitCode.OK;
    }

    private static String nothing(String wanted, Catalogue catalogue) {
        List<String> names = catalogue.requirements().stream()
                .flatMap(requirement -> Stream.of(requirement.id(), requirement.group()))
                .distinct()
                .toList();
        List<String> near = Similar.to(wanted, names).stream().limit(FEW).toList();
        return "no requirement matches \"" + wanted + "\"; "
                + (near.isEmpty() ? "\"exomem spec\" lists the groups" : "similar: " + String.join(", ", near));
    }
}
