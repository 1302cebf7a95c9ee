package org.exomem.backend.recipe;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.exomem.backend.config.ByteSize;
import org.exomem.images.ram.RamBlock;

/**
 * The layout of the RAM of a q35 machine. The regions of memory devices are RAM after what the guest boots with, because the
 * VMM's generic device has no memory of its own.
 *
 * @param parts one for each memory back-end, in ascending order of guest addresses
 * @param isNuma whether each part is one of the guest's NUMA nodes, the first node 0
 * @param below4g bytes of RAM below 4 GiB, if the machine would choose another size
 * @param kernelLimit the address from which on the guest's kernel must not use RAM, if there are memory devices
 */
record RamLayout(List<RamBlock> parts, boolean isNuma, OptionalLong below4g, OptionalLong kernelLimit) {
    private static final long GIB = 1L << 30;
    private static final long HIGH = 4 * GIB;
    /** The most RAM below 4 GiB of a q35 machine of more than 2.75 GiB. */
    private static final long MOST_LOW = 2 * GIB;

    RamLayout {
        parts = List.copyOf(parts);
    }

    /**
     * @param boot bytes that the guest boots with, without its memory devices
     * @param name of the memory back-end; with NUMA nodes, followed by their numbers
     * @throws RecipeException if the memory devices have other addresses than they must have
     */
    static RamLayout of(List<DeviceRecipe> devices, long boot, String name) throws RecipeException {
        List<DeviceRecipe> memory = devices.stream()
                .filter(device -> device.region().isPresent())
                .sorted(Comparator.comparing(device -> region(device).address()))
                .toList();
        if (memory.isEmpty()) {
            return new RamLayout(List.of(block(name, boot)), false, OptionalLong.empty(), OptionalLong.empty());
        }
        long low = Math.min(boot, MOST_LOW);
        long next = HIGH + boot - low;
        for (DeviceRecipe device : memory) {
            if (region(device).address() != next) {
                throw new RecipeException(String.format(
                        "the memory device \"%s\" is at %#x (addr=); in a VM that boots with %s it must be at %#x: the"
                                + " first device at the end of the guest's RAM, each next one at the end of the"
                                + " previous one",
                        device.id(), region(device).address(), ByteSize.format(boot), next));
            }
            next = region(device).end();
        }
        return new RamLayout(
                parts(memory, boot, name),
                memory.stream().anyMatch(device -> region(device).node().isPresent()),
                OptionalLong.of(low),
                OptionalLong.of(boot > low ? HIGH + boot - low : boot));
    }

    private static DeviceRecipe.Region region(DeviceRecipe device) {
        return device.region().orElseThrow();
    }

    private static List<RamBlock> parts(List<DeviceRecipe> memory, long boot, String name) throws RecipeException {
        Map<Integer, Long> nodes = new TreeMap<>(Map.of(0, boot));
        int last = 0;
        boolean isNuma = false;
        for (DeviceRecipe device : memory) {
            int node = region(device).node().orElse(0);
            isNuma |= region(device).node().isPresent();
            if (node < last || node > last + 1) {
                throw new RecipeException("the memory device \"" + device.id() + "\" belongs to node " + node
                        + ", and the RAM before it to node " + last
                        + ": a VMM lays out the RAM of nodes in ascending order, without a gap");
            }
            last = node;
            nodes.merge(node, region(device).size(), Long::sum);
        }
        List<RamBlock> parts = new ArrayList<>();
        for (Map.Entry<Integer, Long> node : nodes.entrySet()) {
            parts.add(block(isNuma ? name + node.getKey() : name, node.getValue()));
        }
        return parts;
    }

    private static RamBlock block(String name, long size) throws RecipeException {
        try {
            return new RamBlock(name, size);
        } catch (IllegalArgumentException e) {
            throw new RecipeException(String.valueOf(e.getMessage()));
        }
    }

    long size() {
        return parts.stream().mapToLong(RamBlock::size).sum();
    }
}
