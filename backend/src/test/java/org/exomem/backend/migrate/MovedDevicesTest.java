package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.exomem.backend.vmm.GenericDevice;
import org.exomem.mem.MemoryRegionPlan;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A VMM receives the source's description of devices, which may create only a balloon or a memory device. */
class MovedDevicesTest {
    private static final GenericDevice BALLOON =
            new GenericDevice("vhost-user-test-device-pci", "balloon0", "port0", 5, 5, 128, 16);
    private static final GenericDevice MEMORY =
            new GenericDevice("vhost-user-test-device-pci", "mem0", "port1", 24, 1, 128, 56);
    private static final MemoryRegionPlan REGION = new MemoryRegionPlan(4L << 30, 1L << 30, 2 << 20, OptionalInt.of(1));
    private static final MovedDevices MOVED =
            new MovedDevices(Map.of("balloon", BALLOON, "m0", MEMORY), Map.of("m0", REGION), OptionalLong.of(1), true);

    @Test
    void devicesArriveAsTheyWere() throws Exception {
        assertThat(MovedDevices.of(MOVED.toBytes())).isEqualTo(MOVED);
        MovedDevices none = new MovedDevices(Map.of(), Map.of(), OptionalLong.empty(), false);
        assertThat(MovedDevices.of(none.toBytes())).isEqualTo(none);
    }

    @ParameterizedTest
    @CsvSource({
        "vhost-user-test-device-pci, ivshmem-plain, driver",
        "vhost-user-test-device-pci, vfio-pci, driver",
        "balloon0, ../0, id",
        "port0, 'pcie.0,addr=3', bus",
        "'virtio-id\":5', 'virtio-id\":2', virtio-id",
        "'num_vqs\":5', 'num_vqs\":0', num_vqs",
        "'vq_size\":128', 'vq_size\":100', vq_size",
        "'config_size\":16', 'config_size\":\"16\"', config_size",
        "'config_size\":16', 'config_size\":99999999999', config_size",
    })
    void otherDevicesAreRefused(String part, String instead, String named) {
        String json = new String(MOVED.toBytes(), StandardCharsets.UTF_8);
        assertThat(json).contains(part);
        byte[] changed = json.replace(part, instead).getBytes(StandardCharsets.UTF_8);
        assertThatThrownBy(() -> MovedDevices.of(changed))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("a balloon or memory device has no " + named);
    }

    @ParameterizedTest
    @CsvSource({
        "'\"addr\":4294967296', '\"addr\":1'",
        "'\"addr\":4294967296', '\"addr\":\"x\"'",
        "'\"size\":1073741824', '\"size\":0'",
        "'\"size\":1073741824,', ''",
        "'\"block\":2097152', '\"block\":3'",
        "'\"node\":1', '\"node\":-1'",
    })
    void regionsThatNoMemoryDeviceCanHaveAreRefused(String part, String instead) {
        String json = new String(MOVED.toBytes(), StandardCharsets.UTF_8);
        assertThat(json).contains(part);
        byte[] changed = json.replace(part, instead).getBytes(StandardCharsets.UTF_8);
        assertThatThrownBy(() -> MovedDevices.of(changed))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("is invalid");
    }

    @Test
    @Tag("MIG-BESIDE-5")
    void devicesWithoutAVersionAreOfTheFirst() throws Exception {
        String json = new String(MOVED.toBytes(), StandardCharsets.UTF_8);
        assertThat(json).contains("\"version\":1,");
        byte[] none = json.replace("\"version\":1,", "").getBytes(StandardCharsets.UTF_8);
        assertThat(MovedDevices.of(none)).isEqualTo(MOVED);
    }

    @ParameterizedTest
    @ValueSource(strings = {"2", "0", "\"1\"", "1.5", "null", "99999999999"})
    @Tag("MIG-BESIDE-5")
    void devicesOfAnUnknownVersionAreRefused(String version) {
        byte[] changed = new String(MOVED.toBytes(), StandardCharsets.UTF_8)
                .replace("\"version\":1", "\"version\":" + version)
                .getBytes(StandardCharsets.UTF_8);
        assertThatThrownBy(() -> MovedDevices.of(changed))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("in version " + version + ", this end supports version 1");
    }

    @Test
    void whatElseIsSaidOfADeviceIsNotPassedOn() throws Exception {
        String json = new String(MOVED.toBytes(), StandardCharsets.UTF_8);
        byte[] more = json.replace("\"num_vqs\"", "\"romfile\":\"/etc/passwd\",\"num_vqs\"")
                .getBytes(StandardCharsets.UTF_8);
        assertThat(MovedDevices.of(more)).isEqualTo(MOVED);
    }
}
