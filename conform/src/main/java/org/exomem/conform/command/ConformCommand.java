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
                "Tests whether a vhost-user back-end keeps to VIRTIO and vhost-user.",
                "Plays the front-end and the driver, with guest memory of its own; no VMM and no virtualization is"
                        + " needed. Each check has a session of its own and names the requirement that it is about;"
                        + " \"exomem spec ID\" shows that. A check that needs what the back-end does not offer is"
                        + " skipped.");
        usage.path("--socket", "PATH", "The socket on which the back-end listens.", value -> socket = value);
        usage.flag(
                "--listen",
                "Listens on --socket; the back-end connects, again after each session.",
                () -> listen = true);
        usage.option(
                "--command",
                "COMMAND",
                "Starts the back-end, with a path in place of {socket}, and starts it again whenever it has ended. A"
                        + " crash is a failure of the check that it came with.",
                Completion.NOTHING,
                value -> command = value);
        usage.choice(
                "--device",
                "What the back-end is; with \"any\", the default, what does not depend on the device is tested.",
                DeviceType.class,
                value -> device = value);
        usage.repeatableOption(
                "--only",
                "ID",
                "Only checks about that requirement or group of requirements.",
                Completion.REQUIREMENT,
                only::add);
        usage.repeatableOption(
                "--report",
                "FORMAT[=FILE]",
                "A report as " + ReportTarget.FORMS + ", in a file or in place of the usual output.",
                new Completion.Words(List.of("junit", "json", "html", "tap")),
                value -> reports.add(ReportTarget.parse(value)));
        usage.path(
                "--expect",
                "FILE",
                "Known failures, one in a line: the id of a requirement, or \"ID: name of a check\". They don't count.",
                value -> expect = value);
        usage.number(
                "--limit",
                "SECONDS",
                "How long an answer is waited for until it is a hang; 5 by default.",
                1,
                LONGEST_LIMIT,
                value -> limits = new Limits(Duration.ofSeconds(value), limits.quiet()));
        usage.option(
                "--name",
                "NAME",
                "What the reports call the back-end; its command or socket by default.",
                Completion.NOTHING,
                value -> name = value);
        usage.number(
                "--explore",
                "N",
                "Tries N random scripts of messages and ring contents, valid and not, in place of the checks. What the"
                        + " back-end does not survive is made as short as it can be.",
                1,
                Integer.MAX_VALUE,
                value -> explore = value);
        usage.option(
                "--seed",
                "S",
                "The seed of the first script, 1 by default; the next has the next number.",
                Completion.NOTHING,
                this::setSeed);
        usage.path("--script", "FILE", "Where a script goes that --explore has found.", value -> script = value);
        usage.path("--replay", "FILE", "Repeats such a script.", value -> replay = value);
        usage.option(
                "--as-device",
                "balloon|mem[,OPTION=…]",
                "Tests a front-end and its driver in place of a back-end: listens on --socket as a strict device,"
                        + " serves whoever connects, has the driver do what it can, and tells what both did wrong."
                        + " Options: addr=, size= and block= of a memory device (4G, 1G, 4M); packed=, in-order=,"
                        + " event-idx=, indirect=, deflate-on-oom= with \"on\" or \"off\".",
                new Completion.Words(List.of("balloon", "mem")),
                value -> asDevice = DeviceSpec.parse(value));
        usage.number(
                "--for",
                "SECONDS",
                "With --as-device: ends then, if the front-end has not gone.",
                1,
                Integer.MAX_VALUE,
                value -> length = Duration.ofSeconds(value));
        usage.choice(
                "--provoke",
                "With --as-device: what the device does on purpose that a VMM may not survive.",
                Provocation.class,
                value -> provocation = value);
        usage.flag("--list", "Lists the checks, and tries nothing.", () -> list = true);
        usage.section(
                "Verdicts",
                "  PASS     the requirement is kept",
                "  REFUSED  the back-end closed the connection, which is acceptable there",
                "  SKIP     the back-end does not offer what the check needs",
                "  FAIL     the requirement is not kept",
                "  HANG     what had to come did not come in time",
                "  ERROR    the check could not be made");
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
            throw new UsageException((!length.equals(FOREVER) ? "--for" : "--provoke") + " goes with --as-device");
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
                "that is about a device or a back-end; without --as-device it is tested");
        List<Observation> observations = Observers.all().stream()
                .filter(each -> only.isEmpty() || only.stream().anyMatch(wanted -> Selection.isAbout(each, wanted)))
                .toList();
        if (list) {
            return list(observations, streams);
        }
        requireOneOutput();
        requireFiles();
        if (socket == null || command != null || listen) {
            throw new UsageException("--as-device goes with --socket, where it listens, and with no back-end");
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
            throw new UsageException("only one report can go to the output; write FORMAT=FILE for the others");
        }
    }

    /** Files are looked at before a run, which takes a minute, and not behind it. */
    private void requireFiles() {
        if (replay != null && !Files.isReadable(replay)) {
            throw new CommandFailure(ExitCode.FAILED, "--replay " + replay + ": no such file can be read");
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
                "that is about a driver or a front-end; with --as-device it is tested");
        return Selection.of(only);
    }

    /**
     * All that is named is there.
     *
     * @param reasons why requirements have no check, by their ids
     * @param elsewhere what is there when the other side is tested
     * @param how to test that
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
                throw new UsageException("--listen goes with --socket");
            }
            if (!command.contains(CommandBackEnd.SOCKET)) {
                throw new UsageException("--command must have " + CommandBackEnd.SOCKET + " where the path belongs");
            }
            return new CommandBackEnd(command, TO_LISTEN);
        }
        if (socket != null && command == null) {
            return listen ? new ConnectingBackEnd(socket, TO_LISTEN) : new ListeningBackEnd(socket);
        }
        throw new UsageException("either --socket or --command must be there");
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
            streams.note("a known failure did not come: " + entry);
        }
        return report.isGood() ? ExitCode.OK : ExitCode.FAILED;
    }
}
