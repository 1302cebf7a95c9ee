package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.exomem.mem.MemoryRegionPlan;

/**
 * The configuration of a memory device.
 *
 * @param vm the name of the VM
 * @param id the device's name, which no other device of the VM has
 * @param attachment how it connects to the front-end
 * @param plan the place of its region
 * @param requested bytes that the guest is asked to plug from the start
 * @param preallocate whether host memory is allocated when a block is plugged
 * @param patrolSeconds the time between two rounds of the patrol; 0 for none
 * @param violation the action if the guest uses unplugged memory
 * @param prevention the action on such a guest if its use is prevented
 * @param vmmQmp the VMM's QMP socket, to stop the guest or to migrate it
 * @param vmmWrites how migrations find the pages that the guest writes
 * @param vmmActive seconds between two scans of the guest's writes; 0 for none
 */
public record MemoryConfig(
        String vm,
        String id,
        Attachment attachment,
        MemoryRegionPlan plan,
        long requested,
        boolean preallocate,
        int patrolSeconds,
        Violation violation,
        Prevention prevention,
        Optional<Path> vmmQmp,
        WritesChoice vmmWrites,
        int vmmActive)
        implements DeviceConfig {
    @Override
    public Map<String, Object> options() {
        return MemoryDeviceOptions.values(this);
    }
}
