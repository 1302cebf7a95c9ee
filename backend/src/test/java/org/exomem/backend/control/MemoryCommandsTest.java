package org.exomem.backend.control;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.TestVms;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.qmp.QmpException;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.conformance.guest.MemDriver.Answer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Memory devices over the control socket, with a driver of the test. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class MemoryCommandsTest {
    private static final long MIB = 1 << 20;
    private static final long ADDRESS = 4L << 30;

    private TestVms vms;
    private QmpClient client;

    @BeforeEach
    void serve() throws Exception {
        vms = TestVms.with(
                List.of("a", "c"),
                List.of(
                        "vm=a,id=m0,addr=4G,size=256M,block=2M,node=1",
                        "vm=a,id=m1,addr=0x110000000,size=128M,block=4M,requested=8M",
                        "vm=b,id=m0,addr=4G,size=64M,block=1M"));
        client = QmpClient.connect(vms.control());
    }

    @AfterEach
    void stop() throws Exception {
        client.close();
        vms.close();
    }

    @Test
    void devicesAreListedAsQemuDoes() throws Exception {
        JsonNode devices = ask("query-memory-devices", Json.object());
        assertThat(devices).hasSize(3);
        assertThat(devices.path(0).path("type").asText()).isEqualTo("virtio-mem");
        JsonNode first = device(0);
        assertThat(first.path("vm").asText()).isEqualTo("a");
        assertThat(first.path("id").asText()).isEqualTo("m0");
        assertThat(first.path("memaddr").asLong()).isEqualTo(ADDRESS);
        assertThat(first.path("max-size").asLong()).isEqualTo(256 * MIB);
        assertThat(first.path("block-size").asLong()).isEqualTo(2 * MIB);
        assertThat(first.path("node").asInt()).isEqualTo(1);
        assertThat(first.path("requested-size").asLong()).isZero();
        assertThat(first.path("size").asLong()).isZero();
        assertThat(first.path("connected").asBoolean()).isFalse();
        assertThat(first.has("job")).isFalse();
        assertThat(device(1).path("job").path("reason").asText()).isEqualTo("no VMM is connected");
        assertThat(device(1).has("node")).isFalse();
    }

    @Tag("CTL-15")
    @Test
    void resizeIsAJobThatEndsWhenTheGuestHasPluggedAll() throws Exception {
        MemDriver driver = vms.attachMemory(0, vms.ram(256 * MIB));
        String job = resize("m0", 64 * MIB);
        assertThat(job).isEqualTo("a/m0/1");
        assertThat(driver.config().requestedSize()).isEqualTo(64 * MIB);
        assertThat(jobOf("m0").path("status").asText()).isEqualTo("running");
        assertThat(driver.plug(ADDRESS, 8)).isEqualTo(Answer.ACK);
        JsonNode halfWay = jobOf("m0");
        assertThat(halfWay.path("current-progress").asLong()).isEqualTo(16 * MIB);
        assertThat(halfWay.path("total-progress").asLong()).isEqualTo(64 * MIB);
        assertThat(driver.plug(ADDRESS + 16 * MIB, 24)).isEqualTo(Answer.ACK);
        JsonNode done = jobOf("m0");
        assertThat(done.path("status").asText()).isEqualTo("concluded");
        assertThat(done.path("outcome").asText()).isEqualTo("done");
        assertThat(device(0).path("size").asLong()).isEqualTo(64 * MIB);

        JsonNode size = event("MEMORY_DEVICE_SIZE_CHANGE");
        assertThat(size.path("data").path("vm").asText()).isEqualTo("a");
        assertThat(size.path("data").path("id").asText()).isEqualTo("m0");
        assertThat(size.path("data").path("size").asLong()).isEqualTo(16 * MIB);
        assertThat(event("MEMORY_DEVICE_SIZE_CHANGE").path("data").path("size").asLong())
                .isEqualTo(64 * MIB);
    }

    @Test
    void jobsTellWhenTheirStatusChanges() throws Exception {
        vms.attachMemory(0, vms.ram(256 * MIB));
        resize("m0", 2 * MIB);
        JsonNode started = event("JOB_STATUS_CHANGE");
        while (!started.path("data").path("id").asText().equals("a/m0/1")) {
            started = event("JOB_STATUS_CHANGE");
        }
        assertThat(started.path("data").path("status").asText()).isEqualTo("running");
        ask("job-cancel", Json.object().put("id", "a/m0/1"));
        assertThat(event("JOB_STATUS_CHANGE").path("data").path("status").asText())
                .isEqualTo("concluded");
    }

    @Tag("CTL-16")
    @Test
    void cancelledJobLeavesTheGuestAsLargeAsItIs() throws Exception {
        MemDriver driver = vms.attachMemory(0, vms.ram(256 * MIB));
        String job = resize("m0", 128 * MIB);
        driver.plug(ADDRESS, 5);
        ask("job-cancel", Json.object().put("id", job));
        assertThat(driver.config().requestedSize()).isEqualTo(10 * MIB);
        assertThat(driver.plug(ADDRESS + 10 * MIB, 1)).isEqualTo(Answer.NACK);
        assertThat(jobOf("m0").path("outcome").asText()).isEqualTo("cancelled");
        assertThatThrownBy(() -> ask("job-cancel", Json.object().put("id", job)))
                .hasMessage("job \"a/m0/1\" has already ended");
    }

    @Tag("CTL-15")
    @Test
    void sameSizeAgainResumesTheJobAndAnotherReplacesIt() throws Exception {
        vms.attachMemory(0, vms.ram(256 * MIB));
        String job = resize("m0", 128 * MIB);
        assertThat(resize("m0", 128 * MIB)).isEqualTo(job);
        assertThat(resize("m0", 64 * MIB)).isEqualTo("a/m0/2");
        assertThatThrownBy(() -> ask("job-cancel", Json.object().put("id", job)))
                .hasMessageContaining("there is no job \"a/m0/1\"");
    }

    @Test
    void jobWaitsForAFrontEndAndGoesOn() throws Exception {
        resize("m0", 2 * MIB);
        assertThat(jobOf("m0").path("status").asText()).isEqualTo("stalled");
        assertThat(jobOf("m0").path("reason").asText()).isEqualTo("no VMM is connected");
        MemDriver driver = vms.attachMemory(0, vms.ram(256 * MIB));
        assertThat(jobOf("m0").path("status").asText()).isEqualTo("running");
        driver.plug(ADDRESS, 1);
        assertThat(jobOf("m0").path("outcome").asText()).isEqualTo("done");
    }

    @Test
    void jobIsCancelledAlsoWhileNobodyIsConnected() throws Exception {
        MemDriver first = vms.attachMemory(0, vms.ram(256 * MIB));
        String job = resize("m0", 128 * MIB);
        first.plug(ADDRESS, 3);
        first.close();
        await().atMost(Duration.ofMinutes(1))
                .until(() -> !device(0).path("connected").asBoolean());
        assertThat(jobOf("m0").path("status").asText()).isEqualTo("stalled");
        ask("job-cancel", Json.object().put("id", job));
        assertThat(jobOf("m0").path("outcome").asText()).isEqualTo("cancelled");
        assertThat(device(0).path("requested-size").asLong()).isEqualTo(6 * MIB);
        MemDriver next = vms.attachMemory(0, vms.ram(256 * MIB));
        assertThat(next.config().requestedSize()).isEqualTo(6 * MIB);
        assertThat(jobOf("m0").path("outcome").asText()).isEqualTo("cancelled");
    }

    @Test
    void hostThatCanNotIsWhyAJobStandsStill() throws Exception {
        // The front-end shares less memory than the device's region.
        MemDriver driver = vms.attachMemory(0, vms.ram(64 * MIB));
        assertThat(event("DEVICE_ERROR").path("data").path("message").asText())
                .startsWith("the VMM shares no memory at 0x104000000");
        resize("m0", 128 * MIB);
        assertThat(driver.plug(ADDRESS + 100 * MIB, 1)).isEqualTo(Answer.BUSY);
        assertThat(jobOf("m0").path("status").asText()).isEqualTo("stalled");
        assertThat(jobOf("m0").path("reason").asText())
                .startsWith("the host can't carry out the request: the VMM shares no memory there");
        driver.plug(ADDRESS, 1);
        assertThat(jobOf("m0").path("status").asText()).isEqualTo("running");
    }

    @Tag("CTL-14")
    @Test
    void resetUnplugsEverything() throws Exception {
        GuestRam ram = vms.ram(384 * MIB);
        MemDriver first = vms.attachMemory(0, ram);
        MemDriver second = vms.attachMemory(1, ram);
        resize("m0", 2 * MIB);
        first.plug(ADDRESS, 1);
        second.plug(ADDRESS + 256 * MIB, 1);
        ram.fill(ADDRESS, 4096, (byte) 1);
        ask("mem-reset", Json.object().put("vm", "a").put("id", "m0"));
        assertThat(device(0).path("size").asLong()).isZero();
        assertThat(device(1).path("size").asLong()).isEqualTo(4 * MIB);
        assertThat(ram.getByte(ADDRESS)).isZero();
        ask("mem-reset", Json.object().put("vm", "a"));
        assertThat(device(1).path("size").asLong()).isZero();
    }

    @Tag("CTL-11")
    @Test
    void balloonOfTheSameGuestKeepsItsSizeWhenMemoryIsPlugged() throws Exception {
        GuestRam ram = vms.ram(256 * MIB);
        BalloonDriver balloon = vms.attach("a", ram);
        MemDriver memory = vms.attachMemory(0, ram);
        assertThat(balloonOf("a").path("memory").asLong()).isEqualTo(64 * MIB);
        ask("balloon", Json.object().put("vm", "a").put("value", 48 * MIB));
        assertThat(balloon.numPages()).isEqualTo(16 * MIB / 4096);
        resize("m0", 32 * MIB);
        memory.plug(ADDRESS, 16);
        assertThat(balloon.numPages()).isEqualTo(16 * MIB / 4096);
        assertThat(balloonOf("a").path("memory").asLong()).isEqualTo(96 * MIB);
        assertThat(balloonOf("a").path("target").asLong()).isEqualTo(80 * MIB);
    }

    @Test
    void wishOutlivesThatTheGuestGivesAllPluggedMemoryBack() throws Exception {
        GuestRam ram = vms.ram(256 * MIB);
        BalloonDriver balloon = vms.attach("a", ram);
        MemDriver memory = vms.attachMemory(0, ram);
        resize("m0", 128 * MIB);
        memory.plug(ADDRESS, 64);
        ask("balloon", Json.object().put("vm", "a").put("value", 96 * MIB));
        assertThat(balloon.numPages()).isEqualTo(96 * MIB / 4096);
        memory.unplugAll();
        assertThat(balloonOf("a").path("target").asLong())
                .as("more is in the balloon than the guest has")
                .isEqualTo(1);
        memory.plug(ADDRESS, 64);
        assertThat(balloonOf("a").path("target").asLong()).isEqualTo(96 * MIB);
    }

    @Test
    void guestThatComesAndGoesBetweenTwoStatesDoesNotFillTheLog() throws Exception {
        MemDriver driver = vms.attachMemory(0, vms.ram(64 * MIB));
        resize("m0", 128 * MIB);
        PrintStream terminal = System.err;
        ByteArrayOutputStream log = new ByteArrayOutputStream();
        System.setErr(new PrintStream(log, true, StandardCharsets.UTF_8));
        try {
            for (int i = 0; i < 100; i++) {
                assertThat(driver.plug(ADDRESS + 100 * MIB, 1)).isEqualTo(Answer.BUSY);
                assertThat(jobOf("m0").path("status").asText()).isEqualTo("stalled");
                driver.plug(ADDRESS, 1);
                assertThat(jobOf("m0").path("status").asText()).isEqualTo("running");
                driver.unplug(ADDRESS, 1);
            }
        } finally {
            System.setErr(terminal);
        }
        assertThat(log.toString(StandardCharsets.UTF_8).lines().filter(line -> line.contains("makes no progress")))
                .hasSizeBetween(1, 10);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
        mem-resize   | {'vm': 'a', 'size': 1048576}            | GenericError    | VM "a" has several memory devices, and the command names none; there are m0, m1
        mem-resize   | {'vm': 'a', 'id': 'm2', 'size': 0}      | DeviceNotFound  | VM "a" has no memory device "m2"; there are m0, m1
        mem-resize   | {'vm': 'c', 'size': 0}                  | DeviceNotActive | VM "c" has no memory device
        mem-resize   | {'vm': 'x', 'size': 0}                  | DeviceNotFound  | there is no VM "x"; there are a, b, c
        mem-resize   | {'vm': 'a', 'id': 'm0'}                 | GenericError    | argument "size" is missing
        mem-resize   | {'vm': 'a', 'id': 'm0', 'size': -1}     | GenericError    | argument "size" must be a whole number from 0 to 9223372036854775807
        mem-resize   | {'vm': 'a', 'id': 'm0', 'size': 1}      | GenericError    | VM "a", memory device "m0": 1 B is not a multiple of the block size, 2 MiB
        mem-resize   | {'vm': 'b', 'size': 68157440}           | GenericError    | VM "b", memory device "m0": 65 MiB is not from 0 to 64 MiB, the size of the device's region
        mem-reset    | {'vm': 'c'}                             | DeviceNotActive | VM "c" has no memory device
        job-cancel   | {'id': 'a/m0/9'}                        | GenericError    | there is no job "a/m0/9"; query-jobs lists them
        job-cancel   | {}                                      | GenericError    | argument "id" is missing
        query-balloon | {'vm': 'b'}                            | DeviceNotActive | VM "b" has no balloon
        balloon      | {'vm': 'b', 'value': 1048576}           | DeviceNotActive | VM "b" has no balloon
        """)
    void wrongCommandHasItsOwnError(String command, String arguments, String errorClass, String description)
            throws Exception {
        ObjectNode parsed = (ObjectNode) Json.parse(arguments.replace('\'', '"'));
        assertThatThrownBy(() -> ask(command, parsed))
                .isInstanceOfSatisfying(
                        QmpException.class, e -> assertThat(e.errorClass()).isEqualTo(errorClass))
                .hasMessage(description);
    }

    private String resize(String id, long size) throws IOException {
        return ask("mem-resize", Json.object().put("vm", "a").put("id", id).put("size", size))
                .path("id")
                .asText();
    }

    private JsonNode device(int index) throws IOException {
        return ask("query-memory-devices", Json.object()).path(index).path("data");
    }

    private JsonNode balloonOf(String vm) throws IOException {
        return ask("query-balloon", Json.object().put("vm", vm));
    }

    private JsonNode jobOf(String device) throws IOException {
        return ask("query-jobs", Json.object())
                .valueStream()
                .filter(job -> job.path("device").asText().equals(device))
                .findFirst()
                .orElseThrow();
    }

    private JsonNode event(String name) throws IOException {
        while (true) {
            JsonNode event = requireNonNull(client.event(Duration.ofMinutes(1)), "no event " + name);
            if (event.path("event").asText().equals(name)) {
                return event;
            }
        }
    }

    private JsonNode ask(String command, ObjectNode arguments) throws IOException {
        return client.execute(command, arguments);
    }
}
