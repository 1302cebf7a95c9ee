package org.exomem.backend.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The completion script in a real bash, with a stand-in for the program. */
class CompletionTest {
    @TempDir
    Path folder;

    @BeforeEach
    void standIn() throws Exception {
        Path program = folder.resolve("exomem");
        Files.writeString(program, """
            #!/bin/sh
            echo "$*" >>"%s/calls"
            case "$*" in
              "vms --control /other") printf 'VM STATE\\nother x\\n' ;;
              "vms") printf 'VM STATE\\ndb x\\nweb x\\n' ;;
              "spec --all") printf 'ID STRENGTH\\na.b.1 MUST\\na.c.1 MAY\\n' ;;
              "vms --memory") printf 'VM DEVICE\\ndb m9\\nweb m0\\nweb m1\\n' ;;
            esac
            """.formatted(folder));
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
        Files.writeString(folder.resolve("script"), Ran.of("completion", "bash").out());
    }

    /** What is offered for the last of the words, in a line. */
    private String offered(String words) throws Exception {
        String program = folder.resolve("exomem").toString();
        List<String> command = new ArrayList<>(List.of(
                "bash",
                "-c",
                "source \"$1\"; shift; COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)); _exomem; _exomem; "
                        + "printf '%s ' \"${COMPREPLY[@]}\"",
                "bash",
                folder.resolve("script").toString(),
                program));
        command.addAll(List.of(words.split(" ", -1)));
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .directory(folder.toFile())
                .start();
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', ignoreLeadingAndTrailingWhitespace = false, textBlock = """
        ba|balloon
        pki |init
        balloon --w|--wait
        balloon |db web
        mem w|web
        reset |db web
        migrate d|db
        receive d|db
        stats |db web
        mem web |m0 m1
        mem --control /other |other
        mem |db web
        balloon --control = /other |other
        hints web |start stop done
        hints web s|start stop
        spec |a.b.1 a.c.1
        spec a.c|a.c.1
        spec --a|--all
        completion |bash zsh
        balloon web |''
        vms |''
        migrate web --tls scr|script
        """)
    void offersWhatFits(String words, String expected) throws Exception {
        assertThat(offered(words)).isEqualTo(expected);
    }

    @Test
    void asksTheProcessThatServesOnlyOnceInAWhile() throws Exception {
        offered("balloon ");
        assertThat(Files.readAllLines(folder.resolve("calls"))).containsExactly("vms");
    }
}
