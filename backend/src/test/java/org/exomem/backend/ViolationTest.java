package org.exomem.backend;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A guest that uses memory which it has given up, and the reactions to that. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class ViolationTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private static final long MIB = 1 << 20;
    private static final long ADDRESS = 4L << 30;
    private static final String DEVICE = "vm=a,id=m0,addr=4G,size=64M,block=2M,requested=8M,patrol=1";

    @TempDir
    Path folder;

    @Test
    void unpluggedMemoryThatIsUsedIsTakenAwayAgainAndReported() throws Exception {
        try (TestVms vms = TestVms.with(List.of(), List.of(DEVICE));
                QmpClient client = QmpClient.connect(vms.control())) {
            GuestRam ram = vms.ram(64 * MIB);
            MemDriver driver = vms.attachMemory(0, ram);
            driver.plug(ADDRESS, 2);
            ram.fill(ADDRESS, 4 * MIB, (byte) 7);
            ram.fill(ADDRESS + 10 * MIB, 8192, (byte) 7);

            JsonNode violation = event(client, "GUEST_VIOLATION");
            assertThat(violation.toString())
                    .isEqualTo("{\"vm\":\"a\",\"id\":\"m0\",\"bytes\":8192,\"blocks\":1,\"action\":\"punch\"}");
            assertThat(ram.getByte(ADDRESS + 10 * MIB)).isZero();
            assertThat(ram.getByte(ADDRESS)).isEqualTo((byte) 7);
            JsonNode patrol = patrol(client);
            assertThat(patrol.path("bytes").asLong()).isEqualTo(8192);
            assertThat(patrol.path("blocks").asLong()).isEqualTo(1);
            assertThat(patrol.path("rounds").asLong()).isPositive();
            assertThat(patrol.path("last-ns").asLong()).isPositive();
        }
    }

    @Test
    void reportOnlyTellsIt() throws Exception {
        try (TestVms vms = TestVms.with(List.of(), List.of(DEVICE + ",violation=report"));
                QmpClient client = QmpClient.connect(vms.control())) {
            GuestRam ram = vms.ram(64 * MIB);
            vms.attachMemory(0, ram);
            ram.fill(ADDRESS + 10 * MIB, 8192, (byte) 7);
            assertThat(event(client, "GUEST_VIOLATION").path("action").asText()).isEqualTo("report");
            assertThat(ram.getByte(ADDRESS + 10 * MIB)).isEqualTo((byte) 7);
        }
    }

    @Test
    void guestIsStoppedOverTheVmmsOwnSocket() throws Exception {
        Path qmp = folder.resolve("qmp");
        try (FakeVmm vmm = new FakeVmm(qmp);
                TestVms vms = TestVms.with(List.of(), List.of(DEVICE + ",violation=stop,vmm-qmp=" + qmp));
                QmpClient client = QmpClient.connect(vms.control())) {
            GuestRam ram = vms.ram(64 * MIB);
            vms.attachMemory(0, ram);
            ram.fill(ADDRESS, 1, (byte) 7);
            assertThat(event(client, "GUEST_VIOLATION").path("action").asText()).isEqualTo("stop");
            await().atMost(LIMIT).until(() -> vmm.commands.size() >= 2);
            assertThat(vmm.commands)
                    .containsExactly("{\"execute\":\"qmp_capabilities\",\"id\":1}", "{\"execute\":\"stop\",\"id\":2}");
        }
    }

    @Test
    @Tag("MEM-GUARD-1")
    void memoryThatCanNotBeGuardedIsPatrolledAndTheReasonTold() throws Exception {
        Path qmp = folder.resolve("qmp");
        try (FakeVmm vmm = new FakeVmm(qmp);
                TestVms vms = TestVms.with(List.of(), List.of(DEVICE + ",violation=prevent,vmm-qmp=" + qmp));
                QmpClient client = QmpClient.connect(vms.control())) {
            GuestRam ram = vms.ram(64 * MIB);
            vms.attachMemory(0, ram);
            await().atMost(LIMIT)
                    .untilAsserted(() -> assertThat(
                                    data(client, 0).path("guard").path("reason").asText())
                            .endsWith(" is not QEMU, and exomem attaches to no other VMM"));
            assertThat(data(client, 0).path("guard").path("on").asBoolean()).isFalse();
            assertThat(vmm.commands).doesNotContain("{\"execute\":\"stop\",\"id\":2}");

            ram.fill(ADDRESS + 10 * MIB, 4096, (byte) 7);
            assertThat(event(client, "GUEST_VIOLATION").path("action").asText()).isEqualTo("punch");
            assertThat(ram.getByte(ADDRESS + 10 * MIB)).isZero();
        }
    }

    @Test
    void vmmThatCanNotBeAskedIsTold() throws Exception {
        Path nobody = folder.resolve("nobody");
        try (TestVms vms = TestVms.with(List.of(), List.of(DEVICE + ",violation=stop,vmm-qmp=" + nobody));
                QmpClient client = QmpClient.connect(vms.control())) {
            GuestRam ram = vms.ram(64 * MIB);
            vms.attachMemory(0, ram);
            ram.fill(ADDRESS, 1, (byte) 7);
            JsonNode fault = event(client, "DEVICE_ERROR");
            assertThat(fault.path("device").asText()).isEqualTo("m0");
            assertThat(fault.path("kind").asText()).isEqualTo("host");
            assertThat(fault.path("message").asText())
                    .startsWith("the guest was not stopped: the VMM's QMP socket " + nobody + ": ");
        }
    }

    @Test
    void withoutPatrolNobodyLooks() throws Exception {
        String patrolled = "vm=a,id=m1,addr=0x108000000,size=64M,block=2M,patrol=1";
        try (TestVms vms = TestVms.with(List.of(), List.of(DEVICE.replace("patrol=1", "patrol=0"), patrolled));
                QmpClient client = QmpClient.connect(vms.control())) {
            GuestRam ram = vms.ram(192 * MIB);
            vms.attachMemory(0, ram);
            vms.attachMemory(1, ram);
            ram.fill(ADDRESS, 4096, (byte) 7);
            await().atMost(LIMIT).until(() -> patrol(client, 1).path("rounds").asInt() >= 2);
            assertThat(patrol(client).path("interval").asInt()).isZero();
            assertThat(patrol(client).path("rounds").asInt()).isZero();
            assertThat(ram.getByte(ADDRESS)).isEqualTo((byte) 7);
        }
    }

    private static JsonNode patrol(QmpClient client) throws IOException {
        return patrol(client, 0);
    }

    private static JsonNode patrol(QmpClient client, int device) throws IOException {
        return data(client, device).path("patrol");
    }

    private static JsonNode data(QmpClient client, int device) throws IOException {
        return client.execute("query-memory-devices", Json.object())
                .path(device)
                .path("data");
    }

    private static JsonNode event(QmpClient client, String name) throws IOException {
        while (true) {
            JsonNode event = requireNonNull(client.event(Duration.ofSeconds(20)), "no event " + name);
            if (event.path("event").asText().equals(name)) {
                return event.path("data");
            }
        }
    }
}
