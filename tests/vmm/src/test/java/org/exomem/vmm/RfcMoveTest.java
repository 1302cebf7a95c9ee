package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.awaitility.Awaitility.await;
import static org.exomem.vmm.MigrationOutcome.awaitEnd;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A Linux guest whose driver ({@code guest/rfc}) tells its free pages in the format of 2016. Half of its memory begins at 4 GiB. */
@RealGuest
final class RfcMoveTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 512 * MIB;
    private static final String HOLE = "max-ram-below-4g=" + RAM / 2;
    /** Linux takes the memory from 4 GiB on first. */
    private static final long FREED = 120 * MIB;

    private static final long KEPT = 200 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(1);

    @RegisterExtension
    final MovingGuests guests = new MovingGuests(RAM);

    private QemuCommand guest(String name) {
        return guests.guest(name, "rfc_balloon").arguments("-machine", HOLE);
    }

    private BackEnd backEnd(String name) throws IOException {
        return BackEnd.start("vm,free-pages=rfc,free-page-reporting=off,vmm-qmp=" + guests.qmp(name));
    }

    @Test
    @Tag("FPB-RFC-1")
    @Tag("FPB-RFC-2")
    @Tag("FPB-RFC-3")
    void guestMovesWithoutTheFreePagesThatItTellsFrom4GibOn() throws IOException {
        try (BackEnd here = backEnd("a");
                BackEnd there = backEnd("b");
                Qemu left = Qemu.start(guest("a").vhostUserBalloon(here.socket("vm")))) {
            left.guest().run("memeat fill gone " + FREED / MIB + " 1 && memeat fill kept " + KEPT / MIB + " 2");
            left.guest().run("memeat free gone");
            String checksum = left.guest().run("memeat verify kept");
            BalloonControl balloon = here.balloon("vm");
            long free = left.guest().memory().free();
            balloon.askForFreePages();
            JsonNode told = await().atMost(LIMIT)
                    .until(
                            balloon::bitmap,
                            answer -> answer.path("state").asText().equals("complete"));
            assertThat(told.path("bytes").asLong()).as(told.toString()).isCloseTo(free, within(free / 50));
            assertThat(told.path("ignored-chunks").asLong()).isZero();

            try (Qemu arrived = Qemu.start(guest("b").incoming())) {
                guests.begin(here, there, Map.of("writes", "watch", "hints", "bitmap", "max-bandwidth", 128 * MIB));
                JsonNode outcome = awaitEnd(here);
                assertThat(outcome.path("status").asText())
                        .as(outcome + here.output())
                        .isEqualTo("completed");
                assertThat(awaitEnd(there).path("status").asText())
                        .as(there.output())
                        .isEqualTo("completed");
                assertThat(outcome.path("pages").path("hinted").asLong())
                        .as(outcome.toString())
                        .isGreaterThan(FREED / 4096 * 3 / 4);
                assertThat(arrived.guest().run("memeat verify kept")).isEqualTo(checksum);
            }
        }
    }
}
