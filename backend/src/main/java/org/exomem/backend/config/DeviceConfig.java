package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** A balloon or a memory device as an operator asked for it. */
public sealed interface DeviceConfig permits BalloonConfig, MemoryConfig {
    /** The name of the VM. */
    String vm();

    /** What events and commands call the device: {@code balloon}, or the id of a memory device. */
    String id();

    /** The way to the front-end. */
    Attachment attachment();

    /** The VMM's QMP socket, if it was named. */
    Optional<Path> vmmQmp();

    /** How migrations learn which pages the guest writes. */
    WritesChoice vmmWrites();

    /** Seconds between two looks at what the guest writes (VMM-ACTIVE); 0 for none. */
    int vmmActive();

    /** The values of all its options, by their names. */
    Map<String, Object> options();

    /** The names of the options that another configuration of the device has otherwise. */
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
