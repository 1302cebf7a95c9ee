package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.exomem.balloon.BalloonOptions;

/**
 * One balloon as an operator asked for it.
 *
 * @param vm the name of the VM, which no other balloon has
 * @param attachment the way to the front-end
 * @param offered what the device offers
 * @param statisticsInterval seconds between two questions for statistics; 0 asks only when told to
 * @param size the VM's logical size in bytes that is wanted from the start, if one was given
 * @param vmmQmp the VMM's QMP socket, over which the VM is migrated and its devices are taken out and put back
 * @param vmmWrites how migrations learn which pages the guest writes
 * @param vmmActive seconds between two looks at what the guest writes; 0 for none
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
    /** What events and commands call a balloon. */
    public static final String ID = "balloon";

    /** In bytes. A smaller size is taken for one without its unit: no guest runs in less. */
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
