package org.exomem.backend.command;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** The short way to start must understand what picocli understands, and leave the rest to it. */
class ServeFastPathTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "serve",
                "serve --balloon vm=a,socket=/s",
                "serve --balloon=vm=a,socket=/s --balloon vm=b,socket=/t --control none",
                "serve --mem vm=a,id=m0 --mem=vm=a,id=m1 --balloon x",
                "serve --config /etc/exomem.yaml --control=/run/c",
                "serve --state /var/lib/exomem --max-memory=1T",
                "serve --socket-path /s",
                "serve --socket-path=/s --control /c",
            })
    void plainOptionsMeanWhatPicocliTakesThemFor(String line) {
        String[] arguments = line.split(" ", -1);
        ServeCommand quick = ServeFastPath.parse(arguments).orElseThrow();
        CommandLine picocli = new ExomemCommand().commandLine("serve");
        picocli.parseArgs(arguments);
        ServeCommand full =
                requireNonNull(picocli.getSubcommands().get("serve")).getCommand();
        assertThat(quick.balloons).isEqualTo(full.balloons);
        assertThat(quick.mems).isEqualTo(full.mems);
        assertThat(quick.control).isEqualTo(full.control);
        assertThat(quick.config).isEqualTo(full.config);
        assertThat(quick.state).isEqualTo(full.state);
        assertThat(quick.maxMemory).isEqualTo(full.maxMemory);
        assertThat(quick.socketPath).isEqualTo(full.socketPath);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "vms",
                "serve --help",
                "serve -h",
                "serve --version",
                "serve --print-capabilities",
                "serve --fd 3",
                "serve --control",
                "serve --control --balloon",
                "serve --control a --control b",
                "serve --balloon vm=a,socket=/s extra",
                "serve --config= --balloon x",
                "serve @file",
            })
    void everythingElseIsLeftToPicocli(String line) {
        assertThat(ServeFastPath.parse(line.split(" ", -1))).isEqualTo(Optional.empty());
    }

    @Test
    void noArgumentsAreLeftToPicocli() {
        assertThat(ServeFastPath.parse()).isEmpty();
    }
}
