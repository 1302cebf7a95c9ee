package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.ExomemProcess;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.migration.stream.format.StreamOptions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The destination's exomem is a separate process, which dies or is stopped while a guest moves to it. The guest
 * continues at the source. It then moves to the next process and the same VMM, whose memory has the content that the
 * dead process left.
 */
@Timeout(value = 90, unit = TimeUnit.SECONDS)
class DestinationProcessTest {
    private static final long MIB = 1 << 20;
    private static final StreamOptions IMPATIENT =
            StreamOptions.defaults().withPatience(Duration.ofSeconds(2)).withResumeWithin(Duration.ofMillis(500));

    @TempDir
    Path folder;

    private final Leftovers before = Leftovers.now();
    private final List<Process> started = new ArrayList<>();
    private TwoHosts hosts;

    @BeforeEach
    void receive() throws Exception {
        hosts = TwoHosts.atWork(folder);
        startReceiving();
    }

    @AfterEach
    void nothingIsLeft() throws Exception {
        for (Process process : started) {
            process.destroyForcibly().waitFor();
        }
        hosts.close();
        before.assertSameNow();
    }

    private Path control() {
        return folder.resolve("control");
    }

    private void startReceiving() throws IOException {
        Process process = ExomemProcess.of(
                        "serve",
                        "--control",
                        control().toString(),
                        "--balloon",
                        "vm=web,socket=" + folder.resolve("there.balloon") + ",vmm-qmp="
                                + hosts.destination.guest.options().qmp())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        started.add(process);
        ExomemProcess.awaitControl(process, control());
        ask("migrate-incoming", Json.object().put("uri", hosts.address().toString()));
    }

    private String ask(String command, ObjectNode arguments) throws IOException {
        try (QmpClient client = QmpClient.connect(control())) {
            return client.execute(command, arguments.put("vm", TwoHosts.VM))
                    .path("status")
                    .asText();
        }
    }

    private void signal(String name) {
        try {
            new ProcessBuilder(
                            "kill", "-" + name, Long.toString(started.getLast().pid()))
                    .start()
                    .waitFor();
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private void signalWhenPaused(String name) {
        hosts.watcher = state -> {
            if (!state.incoming() && state.status() == Status.DEVICE) {
                signal(name);
            }
        };
    }

    private void leave() {
        hosts.source.migrate(hosts.request().withBandwidth(TwoHosts.SLOW).withStream(IMPATIENT));
    }

    private void assertStaysAndMovesToTheNext(String why) throws Exception {
        hosts.source.assertEnded(Status.FAILED, why);
        hosts.source.assertEnded(Status.FAILED, "could not be restored within 500 ms");
        assertThat(hosts.source.runs()).isTrue();
        hosts.source.assertRunsOn();
        assertThat(hosts.destination.allocated()).isPositive();
        started.getLast().destroyForcibly().waitFor();
        hosts.watcher = state -> {};

        startReceiving();
        hosts.source.migrate(hosts.request());
        assertThat(hosts.source.awaitEnd().error()).isEmpty();
        await().until(() -> ask("query-migrate", Json.object()).equals("completed"));
        assertThat(hosts.source.runs()).isFalse();
        assertThat(hosts.destination.runs()).isTrue();
        assertThat(hosts.destination.guest.verify()).isEmpty();
        assertThat(hosts.destination.guest.failure()).isNull();
    }

    @Test
    void processThatIsKilledWhileMemoryTravels() throws Exception {
        leave();
        hosts.source.awaitTravelling(4 * MIB);
        signal("KILL");
        assertStaysAndMovesToTheNext("the connection was lost (");
    }

    @Test
    void processThatIsKilledWhileTheGuestIsPaused() throws Exception {
        signalWhenPaused("KILL");
        leave();
        assertStaysAndMovesToTheNext("the connection was lost (");
    }

    @Test
    @Tag("STR-ERR-3")
    void processThatStandsStillWhileTheGuestIsPaused() throws Exception {
        signalWhenPaused("STOP");
        leave();
        assertStaysAndMovesToTheNext("the connection was lost (the destination has sent nothing for too long)");
    }
}
