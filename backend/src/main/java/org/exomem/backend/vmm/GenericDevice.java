package org.exomem.backend.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.function.IntPredicate;
import java.util.regex.Pattern;
import org.exomem.backend.qmp.Json;

/**
 * A VMM's generic vhost-user device, without its back-end. A migration's source describes a device to the destination with
 * these values only, so that it can plug in nothing but a balloon or a memory device.
 *
 * @param driver the VMM's name for such devices
 * @param id the device's id
 * @param bus the id of the bus that the device is plugged into
 * @param virtioId the VIRTIO device type: 5 or 24
 * @param queues the number of virtqueues, 1 to 1024
 * @param queueSize the entries of each virtqueue, a power of two up to 32768
 * @param configSize bytes of its config space, at most 4096
 */
public record GenericDevice(
        String driver, String id, String bus, int virtioId, int queues, int queueSize, int configSize) {
    private static final int BALLOON = 5;
    private static final int MEMORY = 24;
    private static final Pattern DRIVER = Pattern.compile("vhost-user-(?:[a-z]+-)?device-pci");
    private static final Pattern NAME = Pattern.compile("[A-Za-z][A-Za-z0-9._-]{0,127}");

    /** @throws IllegalArgumentException if no device of exomem can have one of the values */
    public GenericDevice {
        check("driver", driver, DRIVER.matcher(driver).matches());
        check("id", id, NAME.matcher(id).matches());
        check("bus", bus, NAME.matcher(bus).matches());
        check("virtio-id", virtioId, number -> number == BALLOON || number == MEMORY);
        check("num_vqs", queues, number -> number >= 1 && number <= 1024);
        check("vq_size", queueSize, number -> number >= 1 && number <= 1 << 15 && Integer.bitCount(number) == 1);
        check("config_size", configSize, number -> number >= 0 && number <= 4096);
    }

    private static void check(String property, int value, IntPredicate right) {
        check(property, value, right.test(value));
    }

    private static void check(String property, Object value, boolean right) {
        if (!right) {
            throw new IllegalArgumentException("a balloon or memory device has no " + property + " \"" + value + "\"");
        }
    }

    /**
     * Reads what {@link #toJson} writes.
     *
     * @throws IllegalArgumentException if a value is missing or wrong
     */
    public static GenericDevice of(JsonNode json) {
        return new GenericDevice(
                json.path("driver").asText(),
                json.path("id").asText(),
                json.path("bus").asText(),
                number(json, "virtio-id"),
                number(json, "num_vqs"),
                number(json, "vq_size"),
                number(json, "config_size"));
    }

    private static int number(JsonNode json, String property) {
        JsonNode value = json.path(property);
        check(property, value, value.isIntegralNumber() && value.canConvertToInt());
        return value.asInt();
    }

    /** Returns the arguments of {@code device_add}, without the character device. */
    public ObjectNode toJson() {
        return Json.object()
                .put("driver", driver)
                .put("id", id)
                .put("bus", bus)
                .put("virtio-id", virtioId)
                .put("num_vqs", queues)
                .put("vq_size", queueSize)
                .put("config_size", configSize);
    }
}
