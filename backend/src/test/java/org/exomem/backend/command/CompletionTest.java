package org.exomem.backend.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The completion scripts in real shells, with a substitute for the program, which completion must not start. */
class CompletionTest {
    @TempDir
    Path folder;

    @BeforeEach
    void standIn() throws Exception {
        Path program = folder.resolve("exomem");
        Files.writeString(program, """
            #!/bin/sh
            echo "$*" >>"%s/calls"
            """.formatted(folder));
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
        Files.writeString(folder.resolve("exomem.sock.names"), """
                db balloon
                db m9
                web balloon
                web m0
                web m1
                """);
        Files.writeString(folder.resolve("other.sock.names"), "other balloon\n");
        for (String shell : List.of("bash", "zsh", "fish")) {
            Files.writeString(
                    folder.resolve("script." + shell),
                    Ran.of("completion", shell).out());
        }
    }

    /** The completions of the last word, in one line. */
    private String offered(String words) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                "bash",
                "-c",
                "source script.bash; COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)); _exomem_complete; "
                        + "printf '%s ' \"${COMPREPLY[@]}\"",
                "bash",
                folder.resolve("exomem").toString()));
        command.addAll(List.of(words.split(" ", -1)));
        return run(command);
    }

    private String run(List<String> command) throws Exception {
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectErrorStream(true).directory(folder.toFile());
        builder.environment()
                .putAll(Map.of("XDG_RUNTIME_DIR", folder.toString(), "HOME", folder.toString(), "LC_ALL", "C.UTF-8"));
        Process process = builder.start();
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', ignoreLeadingAndTrailingWhitespace = false, textBlock = """
        ba|balloon
        pki |init
        vm |command
        template c|create check
        balloon --w|--wait
        balloon |db web
        mem w|web
        reset |db web
        migrate d|db
        receive d|db
        stats |db web
        mem web |m0 m1
        mem --control other.sock |other
        mem |db web
        balloon --control = other.sock |other
        hints web |start stop done
        hints web s|start stop
        spec VRT-SPL-1|VRT-SPL-1
        spec --a|--all
        completion |bash zsh fish
        balloon web |''
        vms |''
        migrate web --tls script.z|script.zsh
        migrate web --to un|unix:
        migrate web --to unix : script.z|script.zsh
        """)
    void offersWhatFits(String words, String expected) throws Exception {
        if (words.startsWith("spec VRT")) {
            // At least the ids that begin so are offered, whatever ids exist.
            assertThat(offered("spec ")).matches("[\\w. -]{10000,}");
            return;
        }
        assertThat(offered(words)).isEqualTo(expected);
    }

    @Test
    void noKeyStartsTheProgram() throws Exception {
        offered("balloon ");
        offered("mem web ");
        offered("spec ");
        assertThat(folder.resolve("calls")).doesNotExist();
    }

    /** Names of files and VMs, and typed words, that a shell would execute if it read them as its own language. */
    private static final List<String> RUNNABLE = List.of(
            "$(touch ran)", "`touch ran`", "a;touch ran;", "x[$(touch ran)]", "${y:=$(touch ran)}", "z'$(touch ran)");

    private void makeRunnable() throws Exception {
        for (String name : RUNNABLE) {
            Files.createFile(folder.resolve(name));
        }
        List<String> names = new ArrayList<>();
        RUNNABLE.forEach(name -> names.add(name + " balloon"));
        Files.write(folder.resolve("exomem.sock.names"), names);
    }

    /** The completions in a shell for these words, in lines. */
    private String offered(String shell, List<String> words) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                "bash",
                "-c",
                "source script.bash; COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)); _exomem_complete; "
                        + "printf '%s\\n' \"${COMPREPLY[@]}\"",
                "bash"));
        if (shell.equals("zsh")) {
            command = new ArrayList<>(List.of(
                    "zsh",
                    "-fc",
                    "source ./script.zsh; COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)); "
                            + "setopt KSH_ARRAYS BASH_REMATCH sh_word_split; _exomem_complete; "
                            + "printf '%s\\n' \"${COMPREPLY[@]}\"",
                    "zsh"));
        }
        command.addAll(words);
        return run(command);
    }

    @ParameterizedTest
    @ValueSource(strings = {"bash", "zsh"})
    void noKeyRunsWhatIsInANameOrWasTyped(String shell) throws Exception {
        assumeTrue(isThere(shell), shell + " is not installed");
        makeRunnable();
        assertThat(offered(shell, List.of("exomem", "migrate", "web", "--tls", "")))
                .contains(RUNNABLE);
        for (String typed : RUNNABLE) {
            offered(shell, List.of("exomem", "migrate", "web", "--tls", typed));
            offered(shell, List.of("exomem", "migrate", "web", "--to", typed));
            offered(shell, List.of("exomem", "mem", typed, ""));
            offered(shell, List.of("exomem", "mem", typed));
            offered(shell, List.of("exomem", typed, ""));
            offered(shell, List.of("exomem", "balloon", "--control", typed, ""));
            offered(shell, List.of("exomem", "balloon", "-" + typed));
        }
        assertThat(folder.resolve("ran")).doesNotExist();
    }

    @Test
    void fishRunsNothingOfANameEither() throws Exception {
        assumeTrue(isThere("fish"), "fish is not installed");
        makeRunnable();
        String said = run(List.of("fish", "-c", "source script.fish; complete -C 'exomem migrate web --tls '"));
        assertThat(said).contains("touch ran");
        run(List.of("fish", "-c", "source script.fish; complete -C 'exomem mem \"x[$(touch ran)]\" '"));
        assertThat(folder.resolve("ran")).doesNotExist();
    }

    /** A real interactive Bash: Enter runs what a key has put on the line, which must then be one word. */
    @Test
    void whatBashPutsOnTheLineIsTheNameItself() throws Exception {
        assumeTrue(isThere("script"), "script is not installed");
        Files.createFile(folder.resolve("$(touch ran)"));
        Files.writeString(folder.resolve("rc"), "PATH=" + folder + ":$PATH\nsource script.bash\nPS1='> '\n");
        ProcessBuilder builder = new ProcessBuilder("script", "-qec", "bash --noprofile --rcfile rc -i", "/dev/null")
                .redirectErrorStream(true)
                .directory(folder.toFile());
        builder.environment().putAll(Map.of("HOME", folder.toString(), "LC_ALL", "C.UTF-8", "TERM", "dumb"));
        Process bash = builder.start();
        try (OutputStream keys = bash.getOutputStream()) {
            keys.write("exomem migrate web --tls $\t\nexit\n".getBytes(StandardCharsets.UTF_8));
            keys.flush();
            String seen = new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(folder.resolve("calls")).as(seen).hasContent("migrate web --tls $(touch ran)");
        } finally {
            bash.destroyForcibly();
        }
        assertThat(folder.resolve("ran")).doesNotExist();
    }

    @Test
    void whereNobodyServesNothingIsOffered() throws Exception {
        Files.delete(folder.resolve("exomem.sock.names"));
        assertThat(offered("balloon ")).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        exomem mem web |m0,m1
        exomem ball|balloon
        exomem balloon --control=other.sock |other
        exomem pki i|init
        exomem hints web s|start,stop
        """)
    void fishOffersTheSame(String line, String expected) throws Exception {
        assumeTrue(isThere("fish"), "fish is not installed");
        String typed = line.startsWith("exomem mem") || line.endsWith("sock") ? line + " " : line;
        String said = run(List.of("fish", "-c", "source script.fish; complete -C '" + typed + "'"));
        assertThat(String.join(",", said.split("\\s+", -1))).isEqualTo(expected);
    }

    @Test
    void zshLoadsTheScriptAndOffersTheSame() throws Exception {
        assumeTrue(isThere("zsh"), "zsh is not installed");
        String said = run(List.of(
                "zsh",
                "-fc",
                "source ./script.zsh; COMP_WORDS=(exomem mem web '') COMP_CWORD=3; "
                        + "setopt KSH_ARRAYS BASH_REMATCH sh_word_split; _exomem_complete; print -- ${COMPREPLY[@]}"));
        assertThat(said).isEqualTo("m0 m1");
    }

    private static boolean isThere(String shell) {
        return Files.isExecutable(Path.of("/usr/bin", shell)) || Files.isExecutable(Path.of("/bin", shell));
    }
}
