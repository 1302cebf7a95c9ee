package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.exomem.vmm.MigrationOutcome.awaitEnd;
import static org.exomem.vmm.MigrationOutcome.status;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A Linux guest begins at another QEMU before its memory is there (post-copy). */
@RealGuest
final class OwedGuestTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 1024 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final Map<String, Object> AT_ONCE = Map.of("post-copy-after-rounds", 0);

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
            await().atMost(LIMIT).until(() -> here.balloon("vm").features().contains("free-page-hint"));
            source.guest().run("memeat fill kept 300 1");
            String checksum = source.guest().run("memeat verify kept");
            guests.begin(here, there, AT_ONCE);
            awaitRunningAt(there);
            assertThat(destination.guest().run("memeat verify kept")).isEqualTo(checksum);
            JsonNode left = awaitEnd(here);
            JsonNode arrived = awaitEnd(there);
            assertThat(left.path("status").asText()).as(left.toString()).isEqualTo("completed");
            assertThat(arrived.path("status").asText()).as(arrived.toString()).isEqualTo("completed");
            await().atMost(LIMIT).until(() -> there.balloon("vm").features().contains("free-page-hint"));
            MovingGuests.assertNothingLeftIn(destination);
            assertThat(destination.guest().run("memeat verify kept")).isEqualTo(checksum);
            assertThat(destination.guest().run("memeat fill more 200 3 && memeat verify more"))
                    .contains("ok ");
        }
    }

    private static void awaitRunningAt(BackEnd there) {
        await().atMost(LIMIT)
                .pollInterval(Duration.ofMillis(20))
                .untilAsserted(() -> assertThat(status(there).path("status").asText())
                        .as(status(there).toString())
                        .isIn("postcopy-active", "completed"));
    }
}
