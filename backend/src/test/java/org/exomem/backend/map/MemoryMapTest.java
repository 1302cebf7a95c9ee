package org.exomem.backend.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.TestVms;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.qmp.QmpException;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The map of a VM's memory, as the control socket returns it. */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
@Tag("CTL-42")
class MemoryMapTest {
    private static final int MIB = 1 << 20;
    private static final long GIB = 1L << 30;
    /** Pages of 4096 bytes in a cell of 8 MiB. */
    private static final long ALL = 8 * MIB / 4096;

    private TestVms vms;
    private QmpClient client;
    private GuestRam ram;
    private BalloonDriver driver;

    @BeforeEach
    void serve() throws Exception {
        vms = TestVms.with(List.of("a"), List.of("vm=a,id=m0,addr=4G,size=64M,block=2M,requested=8M"));
        client = QmpClient.connect(vms.control());
        ram = vms.ram(64 * MIB);
        // Before the driver has its rings there.
        ram.fill(0, TestVms.MEMORY, (byte) 0);
        driver = vms.attach("a", ram);
    }

    @AfterEach
    void stop() throws Exception {
        client.close();
        vms.close();
    }

    private JsonNode map(long from, long length, int cells) throws IOException {
        return client.execute("query-memory-map", arguments(from, length, cells));
    }

    private static ObjectNode arguments(long from, long length, int cells) {
        return Json.object().put("from", from).put("length", length).put("cells", cells);
    }

    /** The number of pages of a kind in each cell, as text. */
    private static String pages(JsonNode map, String kind) {
        return map.path("pages").path(kind).toString();
    }

    private static long sum(JsonNode map, String kind) {
        long sum = 0;
        for (JsonNode cell : map.path("pages").path(kind)) {
            sum += cell.asLong();
        }
        return sum;
    }

    @Test
    void everyPageOfARangeIsOfOneKind() throws Exception {
        driver.inflate(8 * MIB, 8 * MIB);
        driver.report(16 * MIB, 4 * MIB, 4 * MIB);
        JsonNode map = map(0, TestVms.MEMORY, 8);

        assertThat(map.path("cell").asLong()).isEqualTo(8 * MIB);
        assertThat(pages(map, "balloon")).isEqualTo("[0," + ALL + ",0,0,0,0,0,0]");
        assertThat(pages(map, "reported")).isEqualTo("[0,0," + ALL / 2 + ",0,0,0,0,0]");
        assertThat(pages(map, "used"))
                .isEqualTo(
                        "[" + ALL + ",0," + ALL / 2 + "," + ALL + "," + ALL + "," + ALL + "," + ALL + "," + ALL + "]");
        assertThat(map.path("pages").size()).isEqualTo(3);
    }

    @Test
    void aPageThatWasReportedAndIsUsedAgainIsUsed() throws Exception {
        driver.report(16 * MIB, 4 * MIB, 4 * MIB);
        ram.fill(16 * MIB, MIB, (byte) 2);
        await().untilAsserted(() -> {
            JsonNode map = map(16 * MIB, 4 * MIB, 4);
            assertThat(pages(map, "used")).isEqualTo("[256,0,0,0]");
            assertThat(pages(map, "reported")).isEqualTo("[0,256,256,256]");
        });
    }

    @Test
    void hintedPagesAreShownUntilTheGuestHasThemBack() throws Exception {
        client.execute("free-page-hint", Json.object().put("vm", "a").put("action", "start"));
        driver.beginHinting();
        driver.hint(32 * MIB, 8 * MIB, 4 * MIB);
        driver.endHinting();
        assertThat(pages(map(0, TestVms.MEMORY, 8), "hinted")).isEqualTo("[0,0,0,0," + ALL + ",0,0,0]");
        client.execute("free-page-hint", Json.object().put("vm", "a").put("action", "done"));
        assertThat(sum(map(0, TestVms.MEMORY, 8), "hinted")).isZero();
    }

    @Test
    void unpluggedBlocksHolesAndAddressesWithoutMemoryAreToldApart() throws Exception {
        MemDriver memory = vms.attachMemory(0, ram);
        memory.plug(4 * GIB, 4);
        JsonNode map = map(0, 5 * GIB, 5);

        assertThat(sum(map, "unplugged")).isEqualTo((64 - 8) * MIB / 4096);
        assertThat(sum(map, "hole")).isEqualTo(8 * MIB / 4096);
        assertThat(sum(map, "none")).isEqualTo((5 * GIB - 128 * MIB) / 4096);
        assertThat(map.path("regions").size()).isEqualTo(2);
        // A range that ends within pages, with cells that are not multiples of 64 pages.
        JsonNode part = map(4 * GIB + 8 * MIB - 4096 * 7 - 1, 4096 * 21, 3);
        assertThat(pages(part, "hole")).isEqualTo("[8,0,0]");
        assertThat(pages(part, "unplugged")).isEqualTo("[0,8,6]");
    }

    @Test
    void aRangeThatNoGuestHasIsRefusedAndThereIsNoMapWithoutAGuest() throws Exception {
        assertThatThrownBy(() -> map(1L << 47, (1L << 47) + 1, 1)).isInstanceOf(QmpException.class);
        assertThatThrownBy(() -> map(0, 1, 5000)).hasMessageContaining("4096");
        assertThatThrownBy(() -> map(-1, 1, 1)).isInstanceOf(QmpException.class);
        driver.device().close();
        await().untilAsserted(() -> assertThatThrownBy(() -> map(0, 1, 1)).hasMessageContaining("shares no memory"));
    }

    @Test
    void aMapOfManyCellsIsDrawnWhereNothingIs() throws Exception {
        JsonNode map = map(1L << 44, 1L << 44, 4096);
        assertThat(sum(map, "none")).isEqualTo((1L << 44) / 4096);
        assertThat(map.path("pages").path("none").size()).isEqualTo(4096);
    }
}
