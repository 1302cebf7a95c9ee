package org.exomem.backend.recipe;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What a VMM needs to know of a device that exomem serves.
 *
 * @param id what exomem calls it
 * @param socket where the front-end and exomem meet
 * @param vmmListens whether it is the VMM that listens there
 * @param region of a memory device; a balloon has none
 */
public record DeviceRecipe(String id, Path socket, boolean vmmListens, Optional<Region> region) {
    /**
     * Where a memory device has its memory.
     *
     * @param address guest-physical
     * @param size bytes
     * @param node the guest's NUMA node, if one was given
     */
    public record Region(long address, long size, OptionalInt node) {
        long end() {
            return address + size;
        }
    }

    /**
     * All that is to be known of a VM.
     *
     * @param qmp the socket on which its VMM is expected to listen for QMP
     */
    public record Vm(String name, List<DeviceRecipe> devices, Optional<Path> qmp) {
        public Vm {
            devices = List.copyOf(devices);
        }

        /**
         * Of the answer to {@code query-vm-devices} (CTL-37).
         *
         * @throws RecipeException if a device can't be attached by options: it has an inherited socket
         */
        public static Vm of(String name, JsonNode answer) throws RecipeException {
            List<DeviceRecipe> devices = new ArrayList<>();
            Optional<Path> qmp = Optional.empty();
            for (JsonNode device : answer) {
                devices.add(DeviceRecipe.of(device));
                if (qmp.isEmpty() && device.has("vmm-qmp")) {
                    qmp = Optional.of(Path.of(device.path("vmm-qmp").asText()));
                }
            }
            return new Vm(name, devices, qmp);
        }
    }

    private static DeviceRecipe of(JsonNode device) throws RecipeException {
        String id = device.path("id").asText();
        if (!device.has("socket")) {
            throw new RecipeException("the device \"" + id
                    + "\" is served on a descriptor that exomem inherited: who started it knows how a VMM attaches");
        }
        Optional<Region> region = device.path("type").asText().equals("virtio-mem")
                ? Optional.of(new Region(
                        device.path("memaddr").asLong(),
                        device.path("size").asLong(),
                        device.has("node") ? OptionalInt.of(device.path("node").asInt()) : OptionalInt.empty()))
                : Optional.empty();
        return new DeviceRecipe(
                id,
                Path.of(device.path("socket").asText()),
                device.path("attachment").asText().equals("connect"),
                region);
    }
}
