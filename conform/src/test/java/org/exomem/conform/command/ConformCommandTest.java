package org.exomem.conform.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.CommandLine;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.UsageException;
import org.exomem.conformance.BalloonBackEnd;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code exomem conform}, as it is typed. */
class ConformCommandTest {
    @TempDir
    Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(String... arguments) throws Exception {
        return new CommandLine("conform", new ConformCommand())
                .run(List.of(arguments), new Streams(new PrintWriter(out), new PrintWriter(err, true)));
    }

    private int runOn(BalloonBackEnd backEnd, String... more) throws Exception {
        List<String> arguments = new ArrayList<>(List.of("--socket", backEnd.socket.toString(), "--device", "balloon"));
        arguments.addAll(List.of(more));
        return run(arguments.toArray(String[]::new));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            ''                                | either --socket or --command is required
            --socket s --command c            | either --socket or --command is required
            --command backend                 | --command must contain {socket} in place of the path of the socket
            --command c{socket} --listen      | --listen requires --socket
            --socket s --only no.such         | --only no.such: no check tests that; --list shows all
            --socket s --only balloon.hnt.12  | --only balloon.hnt.12: no check tests that; did you mean balloon.hint.12?
            --socket s --only balloon.hint.2  | --only balloon.hint.2: this requirement is for a driver or front-end; test it with --as-device
            --as-device mem --only robust.leak.2 | --only robust.leak.2: this requirement is for a device or back-end; test it without --as-device
            --socket s --only rign.split      | --only rign.split: no check tests that; did you mean ring.split?
            --as-device mem --only mem.blok   | --only mem.blok: no check tests that; did you mean mem.block?
            --as-device mem --only vhost.connection.3 | --only vhost.connection.3: no check tests that: A permission. The run ends with the connection.
            --socket s --report pdf           | unknown report format "pdf"; it is junit, json, html or tap
            --socket s --report json=         | --report json=: the file has no name
            --socket s --report tap --report json | only one report can go to standard output; use FORMAT=FILE for the others
            --socket s --explore 3 --replay f | --explore and --replay exclude each other
            --socket s --for 3                | --for requires --as-device
            --socket s --provoke failure      | --provoke requires --as-device
            --socket s --seed one             | --seed one: not a whole number
            """)
    void whatDoesNotGoTogetherIsAUsageError(String line, String message) {
        String[] arguments = line.isEmpty() ? new String[0] : line.split(" ", -1);
        assertThatThrownBy(() -> run(arguments))
                .isInstanceOf(UsageException.class)
                .hasMessage(message);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            --replay no/such                 | --replay no/such: the file does not exist or can't be read
            --report junit=/no/such/r.xml    | --report: /no/such/r.xml can't be written: there is no folder /no/such
            --report json=/proc              | --report: /proc can't be written: it is a folder
            """)
    void filesAreLookedAtBeforeARun(String line, String message) {
        assertThatThrownBy(() -> run(("--socket s " + line).split(" ", -1)))
                .isInstanceOf(CommandFailure.class)
                .hasMessage(message);
    }

    @Test
    void knownFailuresThatCantBeReadAreNamed() {
        assertThatThrownBy(() -> run("--socket", "s", "--expect", folder.toString()))
                .isInstanceOf(CommandFailure.class)
                .hasMessageStartingWith("--expect " + folder + ": can't be read: ");
    }

    @Test
    void aBackEndThatIsNotThereIsUnavailable() {
        assertThatThrownBy(() -> run("--socket", folder.resolve("nobody").toString()))
                .isInstanceOfSatisfying(
                        CommandFailure.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.UNAVAILABLE))
                .hasMessageContaining("no session with the back-end");
    }

    @Test
    void aCommandThatEndsAtOnceIsUnavailableAndSaysHowItEnded() {
        assertThatThrownBy(() -> run("--command", "exit 7; : {socket}"))
                .isInstanceOf(CommandFailure.class)
                .hasMessageContaining("ended before it listened")
                .hasMessageContaining("status 7");
    }

    @Test
    void checksOfAGroupAreRunAndCounted() throws Exception {
        try (BalloonBackEnd backEnd = new BalloonBackEnd(folder.resolve("s"))) {
            assertThat(runOn(backEnd, "--only", "vhost.feature")).isEqualTo(ExitCode.OK);
        }
        assertThat(out.toString()).contains("vhost.feature").contains("PASS").contains("all");
    }

    @Test
    void reportsGoToFilesAndTheTableToTheOutput() throws Exception {
        Path json = folder.resolve("r.json");
        Path html = folder.resolve("r.html");
        try (BalloonBackEnd backEnd = new BalloonBackEnd(folder.resolve("s"))) {
            int code = runOn(
                    backEnd,
                    "--only",
                    "reserved.14",
                    "--name",
                    "ours",
                    "--report",
                    "json=" + json,
                    "--report",
                    "html=" + html);
            assertThat(code).isEqualTo(ExitCode.OK);
        }
        assertThat(json).content().contains("\"subject\" : \"ours\"", "reserved.14");
        assertThat(html).content().contains("<h1>ours</h1>");
        assertThat(out.toString()).contains("reserved");
    }

    @Test
    void aKnownFailureThatDidNotComeIsToldAndDoesNotCount() throws Exception {
        Path expect = Files.writeString(folder.resolve("known"), "# ours\nreserved.14   # never\n");
        try (BalloonBackEnd backEnd = new BalloonBackEnd(folder.resolve("s"))) {
            assertThat(runOn(backEnd, "--only", "reserved.14", "--expect", expect.toString()))
                    .isEqualTo(ExitCode.OK);
        }
    }

    @Test
    void theChecksAreListedWithoutABackEnd() throws Exception {
        assertThat(run("--list", "--only", "ring.split.used")).isEqualTo(ExitCode.OK);
        assertThat(out.toString()).contains("ring.split.used.1").doesNotContain("vhost.");
    }

    @Test
    void aScriptIsRepeated() throws Exception {
        Path script = Files.writeString(folder.resolve("script"), "send 1 flags 0x1 size 0\nsettle\n");
        try (BalloonBackEnd backEnd = new BalloonBackEnd(folder.resolve("s"))) {
            assertThat(runOn(backEnd, "--replay", script.toString())).isEqualTo(ExitCode.OK);
        }
        assertThat(out.toString()).contains("the back-end survived 2 steps");
    }
}
