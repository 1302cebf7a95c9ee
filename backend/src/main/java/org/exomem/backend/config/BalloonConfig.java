package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.exomem.balloon.BalloonOptions;

/**
 * The configuration of a balloon.
 *
 * @param vm the name of the VM, which no other balloon has
 * @param attachment how it connects to the front-end
 * @param offered the features and options that the device offers
 * @param statisticsInterval seconds between two requests for statistics; 0 for requests on demand only
 * @param size the requested logical size of the VM in bytes, if one is configured
 * @param vmmQmp the VMM's QMP socket, to migrate the VM, and to remove its devices and plug them in again
 * @param vmmWrites how migrations find the pages that the guest writes
 * @param vmmActive seconds between two scans of the guest's writes; 0 for none
 */
public record BalloonConfig(
        String vm,
        Attachment attachment,
        BalloonOptions offered,
        int statisticsInterval,
        OptionalLong size,
        Optional<Path> vmmQmp,
        WritesChoice vmmWrites,
        int vmmActive)
        implements DeviceConfig {
    /** The name of a balloon in events and commands. */
    public static final String ID = "balloon";

    /** In bytes. A smaller size probably lacks its unit, as no guest runs in less. */
    public static final long LEAST_SIZE = 1 << 20;

    @Override
    public String id() {
        return ID;
    }

    @Override
    public Map<String, Object> options() {
        return BalloonDeviceOptions.values(this);
    }
}
