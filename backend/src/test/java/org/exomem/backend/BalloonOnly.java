package org.exomem.backend;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.config.VmConfig;
import org.exomem.backend.vm.ServedVm;
import org.exomem.backend.vm.VmEvent;
import org.exomem.backend.vm.VmmProcesses;

/** A VM with only a balloon, whose state is not kept. */
public final class BalloonOnly {
    private BalloonOnly() {}

    /** Starts the VM. Its socket is in the folder and has the VM's name. */
    public static ServedVm start(String name, Path folder, Consumer<VmEvent> events)
            throws IOException, ConfigException {
        VmConfig config = new VmConfig(
                name, Optional.of(ServeConfig.balloon("vm=" + name + ",socket=" + folder.resolve(name))), List.of());
        return ServedVm.start(
                config,
                Optional.empty(),
                events,
                (vmm, failed) -> {
                    throw new IllegalStateException("a balloon has no guest stopped");
                },
                VmmProcesses.NONE,
                Long.MAX_VALUE);
    }
}
