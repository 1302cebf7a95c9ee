package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** The configuration of a balloon or a memory device. */
public sealed interface DeviceConfig permits BalloonConfig, MemoryConfig {
    /** The name of the VM. */
    String vm();

    /** The name in events and commands: {@code balloon}, or the id of a memory device. */
    String id();

    /** How the device connects to its front-end. */
    Attachment attachment();

    /** The VMM's QMP socket, if it is configured. */
    Optional<Path> vmmQmp();

    /** How migrations find the pages that the guest writes. */
    WritesChoice vmmWrites();

    /** Seconds between two scans of the guest's writes (VMM-ACTIVE); 0 for none. */
    int vmmActive();

    /** The values of all its options, by option name. */
    Map<String, Object> options();

    /** The names of the options whose values differ in another configuration of the device. */
    default List<String> differences(DeviceConfig other) {
        Map<String, Object> others = other.options();
        return options().entrySet().stream()
                .filter(option -> !Objects.equals(option.getValue(), others.get(option.getKey())))
                .map(Map.Entry::getKey)
                .toList();
    }

    /** The VM and the device, for messages: {@code VM "web", balloon}. */
    default String label() {
        return "VM \"" + vm() + "\", " + (this instanceof BalloonConfig ? "balloon" : "memory device \"" + id() + "\"");
    }
}
