package org.exomem.cli.options;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The fast parser must read lines as picocli does, and leave all others to picocli. */
class PlainArgumentsTest {
    private final List<String> taken = new ArrayList<>();
    private final Usage usage = Usage.of("test", new Command() {
        @Override
        public void describe(Usage declared) {
            declared.parameter("VM", "", Completion.NOTHING, value -> taken.add("VM " + value));
            declared.optionalParameter("SIZE", "", Completion.NOTHING, value -> taken.add("SIZE " + value));
            declared.flag("--wait", "", () -> taken.add("--wait"));
            declared.option("--control", "SOCKET", "", Completion.NOTHING, value -> taken.add("--control " + value));
            declared.repeatableOption("--host", "NAME", "", Completion.NOTHING, value -> taken.add("--host " + value));
        }

        @Override
        public int run(Streams streams) {
            return 0;
        }
    });

    @ParameterizedTest
    @ValueSource(
            strings = {
                "web",
                "web 1G",
                "web -1G",
                "--wait web +1G",
                "web --control /s --wait",
                "--control=/s web",
                "--control=a=b web",
                "web --host a --host=b",
                "@web"
            })
    void whatIsPlainIsTakenAsPicocliTakesIt(String line) throws Exception {
        List<String> arguments = List.of(line.split(" ", -1));
        assertThat(PlainArguments.take(usage, arguments)).isTrue();
        List<String> plainly = List.copyOf(taken);
        taken.clear();
        PicocliParser.parse(usage, arguments);
        assertThat(plainly).containsExactlyInAnyOrderElementsOf(taken);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--wait",
                "web 1G 2G",
                "web --wiat",
                "web -x",
                "web -",
                "web -- -1G",
                "web --control",
                "web --control --wait",
                "web --control=",
                "web --control a --control b",
                "web --wait --wait",
                "web --wait=yes",
                "web --wait="
            })
    void everythingElseIsLeftToPicocliWithNothingTaken(String line) throws Exception {
        assertThat(PlainArguments.take(usage, List.of(line.split(" ", -1)))).isFalse();
        assertThat(taken).isEmpty();
    }
}
