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
 * @param id exomem's name of the device
 * @param socket the socket between front-end and exomem
 * @param vmmListens whether the VMM listens on it
 * @param region of a memory device; empty for a balloon
 */
public record DeviceRecipe(String id, Path socket, boolean vmmListens, Optional<Region> region) {
    /**
     * The region of a memory device.
     *
     * @param address guest-physical
     * @param size in bytes
     * @param node the guest's NUMA node, if one is configured
     */
    public record Region(long address, long size, OptionalInt node) {
        long end() {
            return address + size;
        }
    }

    /**
     * A VM and its devices.
     *
     * @param qmp the socket on which its VMM should listen for QMP
     */
    public record Vm(String name, List<DeviceRecipe> devices, Optional<Path> qmp) {
        public Vm {
            devices = List.copyOf(devices);
        }

        /**
         * Reads the answer to {@code query-vm-devices} (CTL-37).
         *
         * @throws RecipeException if a device can't be attached by options, because it has an inherited socket
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
                    + "\" is served on an inherited descriptor: exomem does not know how a VMM attaches to it");
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
