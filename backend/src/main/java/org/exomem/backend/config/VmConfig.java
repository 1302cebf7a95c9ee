package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The configuration of a VM: a balloon, memory devices, or both.
 *
 * @param name of the VM
 * @param memory its memory devices, in the configured order
 */
public record VmConfig(String name, Optional<BalloonConfig> balloon, List<MemoryConfig> memory) {
    public VmConfig {
        memory = List.copyOf(memory);
    }

    /** The QMP socket of the VM's VMM, if one of its devices has it. */
    public Optional<Path> vmmQmp() {
        return balloon.flatMap(BalloonConfig::vmmQmp)
                .or(() -> memory.stream()
                        .flatMap(device -> device.vmmQmp().stream())
                        .findFirst());
    }

    /** How migrations find the pages that the guest writes, from the first device that configures it. */
    public WritesChoice vmmWrites() {
        return devices().stream()
                .map(DeviceConfig::vmmWrites)
                .filter(choice -> choice != WritesChoice.AUTO)
                .findFirst()
                .orElse(WritesChoice.AUTO);
    }

    /** Seconds between two scans of the guest's writes, from the first device that configures it; 0 for none. */
    public int vmmActive() {
        return devices().stream()
                .mapToInt(DeviceConfig::vmmActive)
                .filter(seconds -> seconds > 0)
                .findFirst()
                .orElse(0);
    }

    /** All its devices, the balloon first. */
    public List<DeviceConfig> devices() {
        List<DeviceConfig> devices = new ArrayList<>(memory.size() + 1);
        balloon.ifPresent(devices::add);
        devices.addAll(memory);
        return List.copyOf(devices);
    }

    /**
     * Returns this configuration with one more device.
     *
     * @throws IllegalArgumentException if it has one of that id
     */
    public VmConfig with(DeviceConfig device) {
        if (devices().stream().anyMatch(other -> other.id().equals(device.id()))) {
            throw new IllegalArgumentException(device.label() + " exists already");
        }
        return switch (device) {
            case BalloonConfig of -> new VmConfig(name, Optional.of(of), memory);
            case MemoryConfig of -> {
                List<MemoryConfig> more = new ArrayList<>(memory);
                more.add(of);
                yield new VmConfig(name, balloon, more);
            }
        };
    }

    /** Returns this configuration without the device of that id. */
    public VmConfig without(String device) {
        return new VmConfig(
                name,
                balloon.filter(of -> !of.id().equals(device)),
                memory.stream().filter(of -> !of.id().equals(device)).toList());
    }
}
