package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.exomem.vmm.MigrationOutcome.awaitEnd;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * A Linux guest whose driver reports its free pages as a bitmap moves while a program takes, writes and frees memory
 * all the time.
 */
@RealGuest
final class BitmapMoveTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 512 * MIB;
    private static final long FREED = 200 * MIB;
    /** Freed before each move: what stayed behind in an earlier one holds nothing any more, and is told as a hole. */
    private static final long FREED_ANEW = 40 * MIB;

    private static final Duration LIMIT = Duration.ofMinutes(1);
    /** More with {@code -Dexomem.moves=100}. */
    private static final int MOVES = Integer.getInteger("exomem.moves", 2);

    /** Takes memory, writes to it, and checks its content; records a failure. */
    private static final String STRESS = "(i=9; while true; do i=$((i+1)); memeat fill s 80 $i;"
            + " memeat verify s | grep -q '^ok ' || echo $i >> /tmp/lost; memeat free s; echo $i > /tmp/round; done)"
            + " > /dev/null 2>&1 &";

    @RegisterExtension
    final MovingGuests guests = new MovingGuests(RAM);

    private QemuCommand guest(String name) throws IOException {
        // The file of a QEMU that has ended.
        Files.deleteIfExists(guests.file(name + ".ram"));
        return guests.guest(name, "exomem_balloon");
    }

    private BackEnd backEnd(String name) throws IOException {
        return BackEnd.start("vm,free-page-reporting=off,vmm-qmp=" + guests.qmp(name));
    }

    @Test
    @Tag("FPB-BIT-1")
    @Tag("FPB-BIT-4")
    void guestMovesThereAndBackWithoutItsFreePagesAndEveryByteArrives() throws IOException {
        moveThereAndBack("watch", "hinted");
    }

    @Test
    @Tag("FPB-DESC-1")
    @Tag("FPB-DESC-2")
    @Tag("MIG-SETTLE-2")
    @Tag("MIG-SETTLE-4")
    void withoutALogOfWritesItsPageDescriptorsTellAtThePauseWhatIsFree() throws IOException {
        moveThereAndBack("compare", "settled");
    }

    /**
     * @param writes how exomem finds the guest's writes
     * @param fate of free pages
     */
    private void moveThereAndBack(String writes, String fate) throws IOException {
        try (BackEnd backEndA = backEnd("a");
                BackEnd backEndB = backEnd("b")) {
            Qemu here = Qemu.start(guest("a").vhostUserBalloon(backEndA.socket("vm")));
            try {
                here.guest().run("memeat fill kept 60 1");
                here.guest().run("memeat fill gone " + FREED / MIB + " 2 && memeat free gone");
                String checksum = here.guest().run("memeat verify kept");
                here.guest().run(STRESS);
                for (int move = 0; move < MOVES; move++) {
                    boolean there = move % 2 == 0;
                    here.guest().run("memeat fill gone " + FREED_ANEW / MIB + " 3 && memeat free gone");
                    Qemu left = here;
                    here = move(
                            there ? backEndA : backEndB,
                            guest(there ? "b" : "a").incoming(),
                            there ? backEndB : backEndA,
                            writes,
                            fate);
                    left.close();
                    assertThat(here.guest().run("memeat verify kept"))
                            .as("move %d", move)
                            .isEqualTo(checksum);
                    String round = here.guest().run("cat /tmp/round");
                    Qemu now = here;
                    await().atMost(LIMIT)
                            .until(() -> !now.guest().run("cat /tmp/round").equals(round));
                    assertThat(here.guest().run("cat /tmp/lost 2>/dev/null; true"))
                            .as("move %d", move)
                            .isEmpty();
                }
            } finally {
                here.close();
            }
        }
    }

    private Qemu move(BackEnd here, QemuCommand waiting, BackEnd there, String writes, String fate) throws IOException {
        // The driver reports page descriptors before it accepts a request for a bitmap.
        await().atMost(LIMIT)
                .until(() -> here.balloon("vm").bitmap().path("descriptors").asLong() > 0);
        Qemu destination = Qemu.start(waiting);
        try {
            // The first round takes 0.8 s, in which a guest on a busy host answers: it needs up to 50 ms.
            guests.begin(here, there, Map.of("writes", writes, "max-bandwidth", 256 * MIB));
            JsonNode left = awaitEnd(here);
            JsonNode arrived = awaitEnd(there);
            assertThat(left.path("status").asText()).as(left + here.output()).isEqualTo("completed");
            assertThat(arrived.path("status").asText())
                    .as(arrived + there.output())
                    .isEqualTo("completed");
            assertThat(left.path("writes").path("way").asText())
                    .as(left.toString())
                    .isEqualTo(writes);
            JsonNode pages = left.path("pages");
            assertThat(pages.path(fate).asLong() + pages.path("hole").asLong())
                    .as(left.toString())
                    .isGreaterThan(FREED / 4096);
            assertThat(pages.path(fate).asLong()).as(left.toString()).isPositive();
            return destination;
        } catch (IOException | RuntimeException | Error e) {
            destination.close();
            throw e;
        }
    }
}
