package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.exomem.mem.MemoryRegionPlan;

/**
 * One memory device as an operator asked for it.
 *
 * @param vm the name of the VM
 * @param id the device's name, which no other device of the VM has
 * @param attachment the way to the front-end
 * @param plan where its region is
 * @param requested bytes that the guest is asked to plug from the start
 * @param preallocate take host memory when a block is plugged
 * @param patrolSeconds between two looks at what is unplugged; 0 for none
 * @param violation what to do about memory that is used though it is unplugged
 * @param prevention what becomes of a guest that does so where it is prevented
 * @param vmmQmp the VMM's QMP socket, over which to stop the guest, or to migrate it
 * @param vmmWrites how migrations learn which pages the guest writes
 * @param vmmActive seconds between two looks at what the guest writes; 0 for none
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
