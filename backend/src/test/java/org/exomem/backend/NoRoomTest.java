package org.exomem.backend;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.conformance.guest.MemDriver.Answer;
import org.exomem.conformance.guest.MemDriver.State;
import org.exomem.linux.SmallDisk;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Blocks are preallocated, and the host has no memory for them. */
class NoRoomTest {
    private static final long MIB = 1 << 20;
    private static final long ADDRESS = 32 * MIB;

    @TempDir
    Path folder;

    @Test
    void plugWithoutHostRoomAnswersBusyAndStallsJob() throws Exception {
        try (SmallDisk _ = SmallDisk.at(folder, 24 * MIB);
                TestVms vms = TestVms.with(List.of(), List.of("vm=a,id=m0,addr=32M,size=64M,block=2M,prealloc=on"));
                QmpClient client = QmpClient.connect(vms.control());
                GuestRam ram = GuestRam.ofFile(folder.resolve("ram"), ADDRESS + 64 * MIB)) {
            MemDriver driver = vms.attachMemory(0, ram);
            client.execute("mem-resize", Json.object().put("size", 64 * MIB));
            assertThat(driver.plug(ADDRESS, 4)).isEqualTo(Answer.ACK);
            long before = ram.hostBytes();
            assertThat(driver.plug(ADDRESS + 8 * MIB, 16)).isEqualTo(Answer.BUSY);
            assertThat(ram.hostBytes()).as("what was allocated is given back").isEqualTo(before);
            assertThat(driver.state(ADDRESS + 8 * MIB, 16)).isEqualTo(State.UNPLUGGED);
            JsonNode error = event(client, "DEVICE_ERROR");
            assertThat(error.path("data").path("kind").asText()).isEqualTo("host");
            assertThat(error.path("data").path("message").asText())
                    .contains("PLUG of 16 blocks at 0x2800000 was answered BUSY: the host can't")
                    .contains("ENOSPC");
            assertThat(job(client).path("status").asText()).isEqualTo("stalled");
            assertThat(job(client).path("reason").asText())
                    .startsWith("the host can't carry out the request: fallocate");
            assertThat(driver.plug(ADDRESS + 8 * MIB, 4)).as("fewer").isEqualTo(Answer.ACK);
            assertThat(job(client).path("status").asText()).isEqualTo("running");
        }
    }

    private static JsonNode job(QmpClient client) throws Exception {
        return client.execute("query-jobs", Json.object()).path(0);
    }

    private static JsonNode event(QmpClient client, String name) throws Exception {
        while (true) {
            JsonNode event = requireNonNull(client.event(Duration.ofMinutes(1)), "no event " + name);
            if (event.path("event").asText().equals(name)) {
                return event;
            }
        }
    }
}
