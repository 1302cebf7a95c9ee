package org.exomem.backend.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.TestVms;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.Buffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** {@code exomem health}, {@code exomem events} and {@code exomem check}, with a back-end that serves in this JVM. */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class WatchCommandsTest {
    @Test
    void healthIsOkUntilAGuestBreaksItsQueue() throws Exception {
        try (TestVms vms = TestVms.named("a")) {
            String control = vms.control().toString();
            Ran well = Ran.of("health", "--control", control);
            assertThat(well.out()).isEqualTo("ok\n");
            assertThat(well.code()).isZero();

            breakQueue(vms.attach("a"));
            await().until(() -> Ran.of("health", "--control", control).code() == ExitCode.FAILED);
            assertThat(Ran.of("health", "--control", control).out()).isEqualTo("""
                    critical: a balloon: one of its queues is stopped: the guest's driver broke a rule
                        reload the driver in the guest, or restart the guest; the log names the rule
                    """);
            JsonNode report =
                    Json.parse(Ran.of("health", "--json", "--control", control).out());
            assertThat(report.path("status").asText()).isEqualTo("critical");
            assertThat(report.path("problems").path(0).path("device").asText()).isEqualTo("balloon");
        }
    }

    @Test
    void warningsFailOnlyWhereTheyAreToldTo() throws Exception {
        try (TestVms vms =
                TestVms.with(List.of(), List.of("vm=a,id=m0,addr=4G,size=64M,block=2M,violation=report,patrol=1"))) {
            String control = vms.control().toString();
            var ram = vms.ram(64 << 20);
            vms.attachMemory(0, ram);
            ram.fill(4L << 30, 4096, (byte) 7);
            await().until(() ->
                    Ran.of("health", "--control", control).out().contains("the guest uses unplugged memory"));
            assertThat(Ran.of("health", "--control", control).code()).isZero();
            assertThat(Ran.of("health", "--strict", "--control", control).code())
                    .isEqualTo(ExitCode.FAILED);
        }
    }

    @Test
    void eventsAreToldAsTheyComeUntilTheProcessEnds() throws Exception {
        StringWriter out = new StringWriter();
        StringWriter json = new StringWriter();
        CompletableFuture<Integer> people;
        CompletableFuture<Integer> program;
        try (TestVms vms = TestVms.named("a", "b")) {
            String control = vms.control().toString();
            people = start(out, "events", "--control", control);
            program = start(json, "events", "b", "--json", "--control", control);
            // One after the other, until both clients listen.
            List<BalloonDriver> attached = new ArrayList<>();
            await().until(() -> {
                // Clients are notified once a second of the state at that time.
                attached.forEach(BalloonDriver::close);
                attached.clear();
                attached.add(vms.attach("a"));
                attached.add(vms.attach("b"));
                return out.toString().contains("b balloon: a VMM attached")
                        && json.toString().contains("DEVICE_CONNECTED");
            });
            breakQueue(attached.getFirst());
            await().until(() -> out.toString().contains("a balloon: error of the driver: "));
            attached.getFirst().close();
            await().until(() -> out.toString().contains("a balloon: the VMM disconnected: "));
        }
        assertThat(people.get(30, TimeUnit.SECONDS)).isEqualTo(ExitCode.UNAVAILABLE);
        assertThat(program.get(30, TimeUnit.SECONDS)).isEqualTo(ExitCode.UNAVAILABLE);
        assertThat(out.toString().lines()).allMatch(line -> line.matches("[0-9:.]{12}  [ab] balloon: .*"));
        for (String line : json.toString().lines().toList()) {
            assertThat(Json.parse(line).path("data").path("vm").asText()).isEqualTo("b");
        }
    }

    @Test
    void eventsEndAfterATimeThatIsGiven() throws Exception {
        try (TestVms vms = TestVms.named("a")) {
            Ran ran = Ran.of(
                    "events", "--for", "1", "nobody", "--control", vms.control().toString());
            assertThat(ran.code()).isZero();
            assertThat(ran.err()).contains("there is no VM \"nobody\" now");
        }
    }

    @Test
    void checkSaysTheSameForPeopleAndPrograms() throws Exception {
        Ran people = Ran.of("check", "--qemu", "/nonexistent");
        JsonNode findings =
                Json.parse(Ran.of("check", "--json", "--qemu", "/nonexistent").out());
        assertThat(findings).isNotEmpty();
        for (JsonNode finding : findings) {
            assertThat(people.out()).contains(finding.path("topic").asText() + ": ");
            assertThat(finding.path("level").asText()).isIn("ok", "advice", "problem");
        }
        assertThat(people.out())
                .contains("\"/nonexistent\" can't be run")
                .contains("  change: ")
                .contains("  benefit: ");
    }

    private static void breakQueue(BalloonDriver driver) {
        driver.device().rings().getFirst().add(List.of(Buffer.readable(1L << 50, 16)));
        driver.device().rings().getFirst().kick();
    }

    private static CompletableFuture<Integer> start(StringWriter out, String... words) {
        return CompletableFuture.supplyAsync(
                () -> new ExomemCommand()
                        .run(new Streams(new PrintWriter(out), new PrintWriter(new StringWriter())), words),
                task -> Thread.ofPlatform().daemon().start(task));
    }
}
