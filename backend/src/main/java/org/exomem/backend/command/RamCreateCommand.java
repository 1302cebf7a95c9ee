package org.exomem.backend.command;

import java.io.IOException;
import java.util.List;
import org.exomem.backend.config.ByteSize;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.exomem.images.ram.RamFileName;
import org.exomem.images.ram.RamFiles;
import org.exomem.images.ram.RamFiles.Room;

/** {@code exomem ram create}. */
final class RamCreateCommand implements Command {
    private final RamFolder folder = new RamFolder();
    private final RamOptions ram = new RamOptions();
    private Room room = Room.ON_DEMAND;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Creates the RAM files of a VM, which its VMM maps as the guest's memory.",
                "A VM with RAM in named files can be saved and restored, moved to another VMM, and cloned. A file's"
                        + " name, exomem.OFFSET+SIZE.NAME with hexadecimal numbers, identifies its part of the RAM."
                        + " Creates all files or none. Refuses a folder that already has such files. \"exomem vm"
                        + " command\" prints the VMM's options to use them.");
        folder.describe(usage);
        ram.describe(usage);
        usage.flag(
                "--reserve",
                "Allocates the host's memory for all files now, so that no allocation can fail while the guest runs.",
                () -> room = Room.RESERVED);
        folder.describeFileSystem(usage);
        usage.section(
                "Examples",
                "  exomem ram create /dev/shm/web --size 8G",
                "  exomem ram create /dev/shm/web --block r0=4G --block r1=4G   (two NUMA nodes)");
    }

    @Override
    public int run(Streams streams) throws UsageException {
        List<RamFileName> names = ram.names();
        try {
            RamFiles files = RamFiles.made(folder.path());
            folder.warn(files, streams);
            files.create(names, room);
            for (RamFileName name : names) {
                streams.out().println(files.path(name) + "  " + ByteSize.format(name.size()));
            }
            return ExitCode.OK;
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
    }
}
