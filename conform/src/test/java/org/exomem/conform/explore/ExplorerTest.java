package org.exomem.conform.explore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.exomem.conform.backend.ListeningBackEnd;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;
import org.exomem.conformance.BalloonBackEnd;
import org.exomem.conformance.frontend.Request;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Random scripts against a back-end that fails at one event only. */
class ExplorerTest {
    private static final Limits SHORT = new Limits(Duration.ofMillis(300), Duration.ofMillis(10));
    private static final int PAYLOAD_NUMBER = 4;

    @TempDir
    Path folder;

    @Test
    void whatABackEndDoesNotBearIsFoundAndMadeShort() throws Exception {
        try (FragileBackEnd backEnd = new FragileBackEnd(
                folder.resolve("s"),
                message -> message.request() == Request.SET_VRING_NUM
                        && message.payload().length == 8
                        && message.buffer().getInt(PAYLOAD_NUMBER) > 0x8000)) {
            Explorer explorer = new Explorer(backEnd, DeviceType.ANY, SHORT);
            Explorer.Discovery discovery = explorer.explore(1, 2000, seed -> {}).orElseThrow();
            assertThat(discovery.finding().kind()).isIn(Finding.HANG, Finding.NO_SESSION);
            assertThat(discovery.script().steps()).hasSize(1);
            assertThat(ScriptText.write(discovery.script())).startsWith("send 8 ");
            assertThat(explorer.replay(discovery.script()))
                    .map(Finding::kind)
                    .contains(discovery.finding().kind());
        }
    }

    @Test
    void aBackEndThatServesNothingFromTheStartIsNotExplored() throws Exception {
        try (FragileBackEnd backEnd = new FragileBackEnd(folder.resolve("s"), message -> false)) {
            assertThatThrownBy(() -> new Explorer(backEnd, DeviceType.BALLOON, SHORT))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("before any script");
        }
    }

    @Test
    void theBalloonSurvives() throws Exception {
        try (BalloonBackEnd backEnd = new BalloonBackEnd(folder.resolve("s"))) {
            Optional<Explorer.Discovery> discovery = new Explorer(
                            new ListeningBackEnd(backEnd.socket), DeviceType.BALLOON, Limits.USUAL)
                    .explore(1, Integer.getInteger("exomem.fuzz", 300), seed -> {});
            assertThat(discovery).isEmpty();
        }
    }
}
