package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.exomem.vmm.MigrationOutcome.awaitEnd;
import static org.exomem.vmm.MigrationOutcome.status;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A Linux guest runs at another QEMU before its memory is there (post-copy). */
@RealGuest
final class PostCopyGuestTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 1024 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final Map<String, Object> AT_ONCE = Map.of("post-copy-after-rounds", 0);
    /** Pages without a request take some ten seconds. */
    private static final Map<String, Object> SLOWLY =
            Map.of("post-copy-after-rounds", 0, "max-bandwidth", 30 * MIB, "channels", 2);

    @RegisterExtension
    final MovingGuests guests = new MovingGuests(RAM);

    private BackEnd backEnd(String name) throws IOException {
        return BackEnd.start(
                List.of("vm,vmm-qmp=" + guests.qmp(name)),
                List.of(),
                List.of("--state", guests.file(name + ".state").toString()));
    }

    @Test
    @Tag("STR-PST-3")
    @Tag("STR-PST-5")
    void guestRunsAtOnceAtTheOtherQemuAndHasItsBalloonWhenItsMemoryIsThere() throws IOException {
        try (BackEnd here = backEnd("a");
                BackEnd there = backEnd("b");
                Qemu source = Qemu.start(guests.guest("a").vhostUserBalloon(here.socket("vm")));
                Qemu destination = Qemu.start(guests.guest("b").incoming())) {
            awaitBalloon(here);
            source.guest().run("memeat fill kept 300 1");
            String checksum = source.guest().run("memeat verify kept");
            guests.begin(here, there, AT_ONCE);
            awaitRunningAt(there);
            assertThat(destination.guest().run("memeat verify kept")).isEqualTo(checksum);
            assertCompleted(here);
            assertCompleted(there);
            awaitBalloon(there);
            MovingGuests.assertNothingLeftIn(destination);
            assertThat(destination.guest().run("memeat verify kept")).isEqualTo(checksum);
            assertThat(destination.guest().run("memeat fill more 200 3 && memeat verify more"))
                    .contains("ok ");
        }
    }

    /** The destination discards pages that were sent before and written again meanwhile. */
    @Test
    @Tag("MIG-POST-1")
    @Tag("STR-PST-2")
    void guestThatWritesAllTheTimeFindsWhatItHasWritten() throws IOException {
        try (BackEnd here = backEnd("a");
                BackEnd there = backEnd("b");
                Qemu source = Qemu.start(guests.guest("a").vhostUserBalloon(here.socket("vm")));
                Qemu destination = Qemu.start(guests.guest("b").incoming())) {
            awaitBalloon(here);
            source.guest().run("memeat fill kept 100 1");
            source.guest()
                    .run("(n=0; while test ! -e /tmp/end; do n=$((n+1)); memeat fill churn 128 $n;"
                            + " memeat verify churn > /tmp/last || cp /tmp/last /tmp/bad; memeat free churn; echo $n >"
                            + " /tmp/rounds; done; echo > /tmp/ended) >/dev/null 2>&1 &");
            guests.begin(
                    here,
                    there,
                    Map.of(
                            "post-copy-after-rounds",
                            2,
                            "downtime-limit",
                            0,
                            "max-bandwidth",
                            200 * MIB,
                            "channels",
                            3));
            awaitRunningAt(there);
            JsonNode left = awaitEnd(here);
            assertThat(left.path("status").asText()).as(left.toString()).isEqualTo("completed");
            assertThat(left.path("pages").path("owed").asLong())
                    .as(left.toString())
                    .isPositive();
            assertThat(left.path("pages").path("rounds").asLong()).isEqualTo(3);
            String rounds = destination.guest().run("cat /tmp/rounds");
            await().atMost(LIMIT)
                    .until(() -> !destination.guest().run("cat /tmp/rounds").equals(rounds));
            destination
                    .guest()
                    .run("touch /tmp/end; while test ! -e /tmp/ended; do sleep 0.1; done; test ! -e /tmp/bad");
            assertThat(destination.guest().run("memeat verify kept")).contains("ok ");
            awaitEnd(there);
        }
    }

    @Test
    @Tag("STR-PST-8")
    @Tag("STR-PST-9")
    void guestWaitsForADestinationThatWasKilledAndGoesOnWithTheNextOne() throws IOException {
        try (BackEnd here = backEnd("a");
                BackEnd there = backEnd("b");
                Qemu source = Qemu.start(guests.guest("a").vhostUserBalloon(here.socket("vm")));
                Qemu destination = Qemu.start(guests.guest("b").incoming())) {
            awaitBalloon(here);
            source.guest().run("memeat fill kept 300 1");
            String checksum = source.guest().run("memeat verify kept");
            guests.begin(here, there, SLOWLY);
            awaitRunningAt(there);
            assertThat(status(there).path("status").asText()).isEqualTo("postcopy-active");
            assertThatThrownBy(() -> there.command("quit")).hasMessageContaining("waits for the rest");
            assertThatThrownBy(() -> here.command("quit")).hasMessageContaining("waits for the rest");
            assertThatThrownBy(() -> there.control().execute("migrate-cancel", Map.of("vm", "vm")))
                    .hasMessageContaining("runs here");
            there.kill();
            await().atMost(LIMIT)
                    .until(() -> status(here).path("status").asText().equals("reconnecting"));
            assertThat(guests.file("b.state").resolve("vm.arrival.json")).exists();
            there.restart();
            assertThat(destination.guest().run("memeat verify kept")).isEqualTo(checksum);
            assertCompleted(here);
            assertCompleted(there);
            awaitBalloon(there);
            assertThat(guests.file("b.state").resolve("vm.arrival.json")).doesNotExist();
            MovingGuests.assertNothingLeftIn(destination);
            assertThat(destination.guest().run("memeat verify kept")).isEqualTo(checksum);
        }
    }

    @Test
    @Tag("STR-PST-8")
    void guestWhoseSourceIsLostWaitsAndFindsNoZeros() throws IOException {
        try (BackEnd here = backEnd("a");
                BackEnd there = backEnd("b");
                Qemu source = Qemu.start(guests.guest("a").vhostUserBalloon(here.socket("vm")));
                Qemu destination = Qemu.start(guests.guest("b").incoming())) {
            awaitBalloon(here);
            source.guest().run("memeat fill kept 300 1");
            guests.begin(here, there, SLOWLY);
            awaitRunningAt(there);
            here.kill();
            await().atMost(LIMIT)
                    .until(() -> status(there).path("status").asText().equals("reconnecting"));
            // The page that it waits for does not arrive: the guest neither ends nor reports anything.
            GuestShell guest = destination.guest();
            CompletableFuture<String> answer = CompletableFuture.supplyAsync(() -> {
                try {
                    return guest.run("memeat verify kept");
                } catch (IOException e) {
                    return "gone";
                }
            });
            assertThatThrownBy(() -> answer.get(5, TimeUnit.SECONDS)).isInstanceOf(TimeoutException.class);
            assertThat(status(there).path("status").asText()).isEqualTo("reconnecting");
            destination.kill();
            assertThat(awaitEnd(there).path("error-desc").asText()).contains("ended");
            assertThat(answer.join()).isEqualTo("gone");
            assertThat(guests.file("b.state").resolve("vm.arrival.json")).doesNotExist();
        }
    }

    private static void awaitBalloon(BackEnd exomem) {
        await().atMost(LIMIT).until(() -> exomem.balloon("vm").features().contains("free-page-hint"));
    }

    private static void assertCompleted(BackEnd exomem) {
        JsonNode end = awaitEnd(exomem);
        assertThat(end.path("status").asText()).as(end.toString()).isEqualTo("completed");
    }

    private static void awaitRunningAt(BackEnd there) {
        await().atMost(LIMIT)
                .pollInterval(Duration.ofMillis(20))
                .untilAsserted(() -> assertThat(status(there).path("status").asText())
                        .as(status(there).toString())
                        .isIn("postcopy-active", "completed"));
    }
}
