package org.exomem.conform.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.DeviceType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files of known failures. */
class ExpectationsTest {
    @TempDir
    Path folder;

    private Expectations read(String text) throws IOException {
        return Expectations.read(Files.writeString(folder.resolve("known"), text));
    }

    private static CheckResult failed(String requirement, String name) {
        return new CheckResult(Check.of(requirement, name, trial -> {}), Verdict.FAIL, "", List.of(), 0);
    }

    private static RunReport report(CheckResult... results) {
        return new RunReport("a back-end", DeviceType.ANY, Instant.EPOCH, 1, 0, 0, "", List.of(results));
    }

    @Test
    void anIdCoversAllChecksOfItsRequirementAndAFullNameOne() throws IOException {
        Expectations known = read("vhost.memory.9\nvhost.reply.8: It answers\n");
        assertThat(known.cover(failed("vhost.memory.9", "This"))).isTrue();
        assertThat(known.cover(failed("vhost.memory.9", "That"))).isTrue();
        assertThat(known.cover(failed("vhost.memory.90", "That"))).isFalse();
        assertThat(known.cover(failed("vhost.reply.8", "It answers"))).isTrue();
        assertThat(known.cover(failed("vhost.reply.8", "It asks"))).isFalse();
    }

    @Test
    void aFailureThatComesSometimesIsKnownAndNotMissedWhenItDoesNotCome() throws IOException {
        Expectations known =
                read("sometimes vhost.memory.9\nsometimes  vhost.reply.8: It answers\nring.split.used.1\n");
        assertThat(known.cover(failed("vhost.memory.9", "This"))).isTrue();
        assertThat(known.cover(failed("vhost.reply.8", "It answers"))).isTrue();
        assertThat(known.unneeded(report())).containsExactly("ring.split.used.1");
    }

    @Test
    void commentsAndEmptyLinesAreNoEntries() throws IOException {
        Expectations known = read("# all of them\n\n   \nvhost.memory.9   # since 1.2\nvhost.a.1: Has #1 in it\n");
        assertThat(known.known())
                .extracting(Expectations.Known::name)
                .containsExactly("vhost.memory.9", "vhost.a.1: Has");
    }

    @Test
    void whatIsKnownIsNoNewsAndOnlyWhatIsKnownIsGood() throws IOException {
        RunReport report = report(failed("vhost.memory.9", "This"), failed("vhost.reply.8", "It answers"));
        assertThat(report.knowing(read("vhost.memory.9\n")).isGood()).isFalse();
        assertThat(report.knowing(read("vhost.memory.9\nsometimes vhost.reply.8\n"))
                        .isGood())
                .isTrue();
    }

    @Test
    void aFileThatIsNotThereIsAnError() {
        assertThatThrownBy(() -> Expectations.read(folder.resolve("none"))).isInstanceOf(IOException.class);
    }
}
