package org.exomem.conform.command;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.exomem.cli.text.FileFault;
import org.exomem.cli.text.Table;
import org.exomem.conform.backend.CommandBackEnd;
import org.exomem.conform.backend.ConnectingBackEnd;
import org.exomem.conform.backend.ListeningBackEnd;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.Subject;
import org.exomem.conform.explore.Explorer;
import org.exomem.conform.report.TerminalReport;
import org.exomem.conform.run.Expectations;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Runner;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.observers.Observers;
import org.exomem.conform.strict.serve.Provocation;
import org.exomem.conform.suite.Selection;
import org.exomem.conform.suite.Suite;
import org.exomem.conform.trial.BackEnd;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;
import org.exomem.reference.Catalogue;
import org.jspecify.annotations.Nullable;

/** {@code exomem conform}. */
public final class ConformCommand implements Command {
    private static final Duration TO_LISTEN = Duration.ofSeconds(30);
    private static final int LONGEST_LIMIT = 600;
    private static final Duration FOREVER = Duration.ofDays(3650);

    private @Nullable Path socket;
    private boolean listen;
    private @Nullable String command;
    private DeviceType device = DeviceType.ANY;
    private final List<String> only = new ArrayList<>();
    private final List<ReportTarget> reports = new ArrayList<>();
    private @Nullable Path expect;
    private Limits limits = Limits.USUAL;
    private boolean list;
    private int explore;
    private long seed = 1;
    private @Nullable Path replay;
    private @Nullable Path script;
    private @Nullable String name;
    private @Nullable DeviceSpec asDevice;
    private Provocation provocation = Provocation.NONE;
    private Duration length = FOREVER;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Tests whether a vhost-user back-end conforms to VIRTIO and vhost-user.",
                "Acts as the front-end and the driver, with its own guest memory. Needs no VMM and no"
                        + " virtualization. Each check has its own session and names the requirement that it tests;"
                        + " \"exomem spec ID\" shows the requirement. A check that needs what the back-end does not"
                        + " offer"
                        + " is skipped.");
        usage.path("--socket", "PATH", "The socket on which the back-end listens.", value -> socket = value);
        usage.flag(
                "--listen",
                "Listens on --socket. The back-end connects, and connects again after each session.",
                () -> listen = true);
        usage.option(
                "--command",
                "COMMAND",
                "Starts the back-end with this command, in which the runner replaces {socket} with the path of a"
                        + " socket. Starts it again each time it exits. A crash is a failure of the check that ran.",
                Completion.NOTHING,
                value -> command = value);
        usage.choice(
                "--device",
                "The type of the device. \"any\", the default, tests only what does not depend on the type.",
                DeviceType.class,
                value -> device = value);
        usage.repeatableOption(
                "--only",
                "ID",
                "Runs only the checks of this requirement or group of requirements.",
                Completion.REQUIREMENT,
                only::add);
        usage.repeatableOption(
                "--report",
                "FORMAT[=FILE]",
                "Writes a report as " + ReportTarget.FORMS + ", to a file or instead of the usual output.",
                new Completion.Words(List.of("junit", "json", "html", "tap")),
                value -> reports.add(ReportTarget.parse(value)));
        usage.path(
                "--expect",
                "FILE",
                "Known failures, one on each line: the id of a requirement, or \"ID: name of a check\". They do not"
                        + " change the exit code.",
                value -> expect = value);
        usage.number(
                "--limit",
                "SECONDS",
                "How long the runner waits for an answer before it reports a hang; 5 by default.",
                1,
                LONGEST_LIMIT,
                value -> limits = new Limits(Duration.ofSeconds(value), limits.quiet()));
        usage.option(
                "--name",
                "NAME",
                "The name of the back-end in reports; its command or socket by default.",
                Completion.NOTHING,
                value -> name = value);
        usage.number(
                "--explore",
                "N",
                "Runs N random scripts of valid and invalid messages and ring contents, instead of the checks. Shortens"
                        + " a script that the back-end does not survive.",
                1,
                Integer.MAX_VALUE,
                value -> explore = value);
        usage.option(
                "--seed",
                "S",
                "The seed of the first script, 1 by default. Each following script has the next number.",
                Completion.NOTHING,
                this::setSeed);
        usage.path(
                "--script",
                "FILE",
                "The file to which --explore writes a script that it found.",
                value -> script = value);
        usage.path("--replay", "FILE", "Repeats a script that --explore found.", value -> replay = value);
        usage.option(
                "--as-device",
                "balloon|mem[,OPTION=…]",
                "Tests a front-end and its driver instead of a back-end: listens on --socket as a strict device,"
                        + " serves the front-end that connects, requests all that the driver supports, and reports"
                        + " what both did wrong."
                        + " Options: addr=, size= and block= of a memory device (4G, 1G, 4M); packed=, in-order=,"
                        + " event-idx=, indirect=, deflate-on-oom= with \"on\" or \"off\".",
                new Completion.Words(List.of("balloon", "mem")),
                value -> asDevice = DeviceSpec.parse(value));
        usage.number(
                "--for",
                "SECONDS",
                "With --as-device: ends the run after this time, if the front-end has not disconnected before.",
                1,
                Integer.MAX_VALUE,
                value -> length = Duration.ofSeconds(value));
        usage.choice(
                "--provoke",
                "With --as-device: the device does something that a VMM may not survive.",
                Provocation.class,
                value -> provocation = value);
        usage.flag("--list", "Lists the checks without running them.", () -> list = true);
        usage.section(
                "Verdicts",
                "  PASS     the requirement is met",
                "  REFUSED  the back-end closed the connection, which is acceptable there",
                "  SKIP     the back-end does not offer what the check needs",
                "  FAIL     the requirement is not met",
                "  HANG     an expected answer or event did not come in time",
                "  ERROR    the check could not run");
        usage.section(
                "Examples",
                "  exomem conform --socket /run/vm1.sock --device balloon",
                "  exomem conform --command 'my-back-end --socket-path={socket}'",
                "  exomem conform --socket s --report html=report.html",
                "  exomem conform --socket s --only vhost.memory --only ring.split.used.2",
                "  exomem conform --socket s --expect known --report junit=results.xml",
                "  exomem conform --socket s --explore 10000 --script found",
                "  exomem conform --socket s --replay found",
                "  exomem conform --as-device balloon --socket s",
                "Exit code 1: a check failed that is not among the known failures.");
    }

    @Override
    public int run(Streams streams) throws UsageException {
        if (asDevice != null) {
            return asDevice(asDevice, streams);
        }
        if (!length.equals(FOREVER) || provocation != Provocation.NONE) {
            throw new UsageException((!length.equals(FOREVER) ? "--for" : "--provoke") + " requires --as-device");
        }
        List<Check> checks = checks();
        if (list) {
            return list(checks, streams);
        }
        requireOneOutput();
        if (explore > 0 && replay != null) {
            throw new UsageException("--explore and --replay exclude each other");
        }
        requireFiles();
        Expectations expected = expectations();
        try (BackEnd backEnd = backEnd()) {
            Thread end = new Thread(backEnd::close);
            Runtime.getRuntime().addShutdownHook(end);
            try {
                if (explore > 0 || replay != null) {
                    Exploration exploration = new Exploration(new Explorer(backEnd, device, limits), streams);
                    return replay != null ? exploration.replay(replay) : exploration.explore(seed, explore, script);
                }
                RunReport report;
                try (Display display = new Display("checks")) {
                    report = new Runner(backEnd, device, limits, display).run(checks);
                }
                return show(report.named(name == null ? report.subject() : name).knowing(expected), streams);
            } finally {
                Runtime.getRuntime().removeShutdownHook(end);
            }
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.UNAVAILABLE, "no session with the back-end: " + e.getMessage());
        }
    }

    private int asDevice(DeviceSpec spec, Streams streams) throws UsageException {
        requireKnown(
                Observers.all(),
                Observers.unwatched(),
                Suite.all(),
                "this requirement is for a device or back-end; test it without --as-device");
        List<Observation> observations = Observers.all().stream()
                .filter(each -> only.isEmpty() || only.stream().anyMatch(wanted -> Selection.isAbout(each, wanted)))
                .toList();
        if (list) {
            return list(observations, streams);
        }
        requireOneOutput();
        requireFiles();
        if (socket == null || command != null || listen) {
            throw new UsageException("--as-device requires --socket, and excludes --command and --listen");
        }
        Expectations expected = expectations();
        return new AsDevice(
                        spec,
                        socket,
                        provocation,
                        length,
                        (double) limits.answer().toMillis()
                                / Limits.USUAL.answer().toMillis())
                .run(
                        observations,
                        streams,
                        report -> show((name == null ? report : report.named(name)).knowing(expected), streams));
    }

    private void requireOneOutput() throws UsageException {
        if (reports.stream().filter(report -> report.file().isEmpty()).count() > 1) {
            throw new UsageException("only one report can go to standard output; use FORMAT=FILE for the others");
        }
    }

    /** Files are looked at before a run, which takes a minute, and not behind it. */
    private void requireFiles() {
        if (replay != null && !Files.isReadable(replay)) {
            throw new CommandFailure(
                    ExitCode.FAILED, "--replay " + replay + ": the file does not exist or can't be read");
        }
        for (ReportTarget target : reports) {
            Path file = target.file().orElse(null);
            Path folder = file == null ? null : file.toAbsolutePath().getParent();
            if (file != null && folder != null && (!Files.isWritable(folder) || Files.isDirectory(file))) {
                throw new CommandFailure(
                        ExitCode.FAILED,
                        "--report: " + file + " can't be written: "
                                + (Files.isDirectory(file)
                                        ? "it is a folder"
                                        : Files.isDirectory(folder)
                                                ? "no permission in that folder"
                                                : "there is no folder " + folder));
            }
        }
    }

    private void setSeed(String value) throws UsageException {
        try {
            seed = Long.parseLong(value);
        } catch (NumberFormatException e) {
            throw new UsageException("--seed " + value + ": not a whole number");
        }
    }

    private List<Check> checks() throws UsageException {
        requireKnown(
                Suite.all(),
                Suite.untried(),
                Observers.all(),
                "this requirement is for a driver or front-end; test it with --as-device");
        return Selection.of(only);
    }

    /**
     * Fails unless all requirements that the user named are known and tested.
     *
     * @param reasons why requirements have no check, by their ids
     * @param elsewhere requirements that a test of the other side covers
     * @param how to test the other side
     */
    private void requireKnown(
            List<? extends Subject> all, Map<String, String> reasons, List<? extends Subject> elsewhere, String how)
            throws UsageException {
        for (String id : only) {
            Optional<String> absence = Selection.absence(id, all, reasons);
            if (absence.isPresent()) {
                boolean other = elsewhere.stream().anyMatch(each -> Selection.isAbout(each, id));
                throw new UsageException("--only " + id + ": " + (other ? how : absence.get()));
            }
        }
    }

    private static int list(List<? extends Subject> checks, Streams streams) {
        Table table = new Table("REQUIREMENT", "DEVICE", "CHECK");
        checks.forEach(check -> table.add(check.requirement(), check.device().toString(), check.name()));
        streams.out().print(table);
        return ExitCode.OK;
    }

    private Expectations expectations() {
        try {
            return expect == null ? Expectations.NONE : Expectations.read(expect);
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, "--expect " + expect + ": can't be read: " + FileFault.reason(e));
        }
    }

    private BackEnd backEnd() throws UsageException, IOException {
        if (command != null && socket == null) {
            if (listen) {
                throw new UsageException("--listen requires --socket");
            }
            if (!command.contains(CommandBackEnd.SOCKET)) {
                throw new UsageException(
                        "--command must contain " + CommandBackEnd.SOCKET + " in place of the path of the socket");
            }
            return new CommandBackEnd(command, TO_LISTEN);
        }
        if (socket != null && command == null) {
            return listen ? new ConnectingBackEnd(socket, TO_LISTEN) : new ListeningBackEnd(socket);
        }
        throw new UsageException("either --socket or --command is required");
    }

    private int show(RunReport report, Streams streams) {
        Catalogue catalogue = Catalogue.load();
        PrintWriter out = streams.out();
        try {
            boolean usual = true;
            for (ReportTarget target : reports) {
                if (target.file().isPresent()) {
                    target.save(report, catalogue);
                } else {
                    target.format().write(report, catalogue, out);
                    usual = false;
                }
            }
            if (usual) {
                out.print(TerminalReport.found(report));
                out.print(TerminalReport.failures(report, catalogue));
                out.print(TerminalReport.summary(report));
            }
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, "a report can't be written: " + e.getMessage());
        }
        for (String entry : only.isEmpty() ? report.known().unneeded(report) : List.<String>of()) {
            streams.note("a known failure did not occur: " + entry);
        }
        return report.isGood() ? ExitCode.OK : ExitCode.FAILED;
    }
}
