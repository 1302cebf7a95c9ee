package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The map of a real Linux guest's memory: the numbers of devices, guest and host are consistent. */
@RealGuest
@Tag("CTL-42")
class MappedGuestTest {
    private static final long MIB = 1L << 20;
    private static final long GIB = 1L << 30;
    private static final long PAGE = 4096;
    private static final long BOOT = 512 * MIB;
    private static final long REGION = GIB;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    /** The bytes of a kind in all cells, from one cell on. */
    private static long bytes(JsonNode map, String kind, int from) {
        long pages = 0;
        int cell = 0;
        for (JsonNode count : map.path("pages").path(kind)) {
            pages += cell++ < from ? 0 : count.asLong();
        }
        return pages * PAGE;
    }

    private static long bytes(JsonNode map, String kind) {
        return bytes(map, kind, 0);
    }

    /**
     * All addresses up to the end of the memory device, in cells of 256 MiB. Repeated until all of it has been seen.
     */
    private static JsonNode map(BackEnd backEnd) {
        return await().atMost(LIMIT)
                .until(
                        () -> backEnd.control()
                                .execute(
                                        "query-memory-map",
                                        Map.of("vm", "a", "from", 0, "length", 5 * GIB, "cells", 20)),
                        map -> bytes(map, "unseen") == 0);
    }

    /** Checks that in each cell each page is of one kind. */
    private static void addsUp(JsonNode map) {
        List<String> kinds =
                List.of("used", "hinted", "free", "reported", "balloon", "unplugged", "hole", "unseen", "none");
        for (int cell = 0; cell < 20; cell++) {
            long pages = 0;
            for (String kind : kinds) {
                pages += map.path("pages").path(kind).path(cell).asLong();
            }
            assertThat(pages * PAGE).as("cell %s", cell).isEqualTo(256 * MIB);
        }
        assertThat(bytes(map, "none")).isEqualTo(5 * GIB - BOOT - REGION);
    }

    @Test
    void theCellsOfAGuestWithABalloonAndAMemoryDeviceAddUp() throws IOException {
        try (BackEnd backEnd = BackEnd.start(List.of("a"), List.of("a/m0,addr=4G,size=1G,block=4M,requested=512M"));
                Qemu qemu = Qemu.start(QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                        .ram(BOOT)
                        .driver("virtio_balloon")
                        .driver("virtio_mem")
                        .vhostUserBalloon(backEnd.socket("a"))
                        .vhostUserMemory(backEnd.socket("a/m0"), REGION))) {
            MemoryControl memory = backEnd.memory("a", "m0");
            BalloonControl balloon = backEnd.balloon("a");
            await().atMost(LIMIT).until(() -> memory.plugged() == 512 * MIB);
            balloon.resize(BOOT + 512 * MIB - 128 * MIB);
            await().atMost(LIMIT).until(() -> balloon.ballooned() == 128 * MIB);

            JsonNode before = map(backEnd);
            addsUp(before);
            assertThat(before.path("cell").asLong()).isEqualTo(256 * MIB);
            assertThat(bytes(before, "balloon")).isEqualTo(128 * MIB);
            assertThat(bytes(before, "unplugged")).isEqualTo(512 * MIB);
            // The region begins at the 17th cell.
            assertThat(bytes(before, "unplugged", 16)).isEqualTo(512 * MIB);
            awaitHostMemory(backEnd, qemu);
            assertThat(bytes(before, "used")).isGreaterThan(32 * MIB);
            assertThat(bytes(before, "hole") + bytes(before, "reported")).isGreaterThan(256 * MIB);

            // Memory that a program writes has host memory.
            qemu.guest().run("memeat fill kept 192 7");
            JsonNode filled = map(backEnd);
            addsUp(filled);
            awaitHostMemory(backEnd, qemu);
            assertThat(host(filled)).isGreaterThan(host(before) + 128 * MIB);
            qemu.guest().run("memeat free kept");

            memory.resize(256 * MIB);
            await().atMost(LIMIT).until(() -> memory.plugged() == 256 * MIB);
            JsonNode after = map(backEnd);
            addsUp(after);
            assertThat(bytes(after, "unplugged")).isEqualTo(768 * MIB);
            assertThat(bytes(after, "balloon")).isEqualTo(128 * MIB);
            awaitHostMemory(backEnd, qemu);

            balloon.resize(BOOT + 256 * MIB);
            await().atMost(LIMIT).until(() -> balloon.ballooned() == 0);
            JsonNode deflated = map(backEnd);
            addsUp(deflated);
            assertThat(bytes(deflated, "balloon")).isZero();
            assertThat(bytes(deflated, "unplugged")).isEqualTo(768 * MIB);
        }
    }

    /** The host memory in the map. */
    private static long host(JsonNode map) {
        return bytes(map, "used") + bytes(map, "hinted") + bytes(map, "free");
    }

    /** The guest changes its memory meanwhile: repeated until the map agrees with the host. */
    private static void awaitHostMemory(BackEnd backEnd, Qemu qemu) {
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(host(map(backEnd)))
                        .isCloseTo(qemu.ram().allocated(), within(BalloonedGuestTest.NOISE)));
    }
}
