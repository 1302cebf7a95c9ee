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
import org.exomem.images.ram.RamFile;
import org.exomem.images.ram.RamFileName;
import org.exomem.images.ram.RamFiles;

/** {@code exomem ram check}. */
final class RamCheckCommand implements Command {
    private final RamFolder folder = new RamFolder();
    private final RamOptions ram = new RamOptions();

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Checks that a folder has the complete RAM files of one VM, and no others.",
                "Each file must have the size in its name, and the files must cover the RAM without a gap. With --size"
                        + " or --block, they must also match a VM with that RAM. Reports differences.");
        folder.describe(usage);
        ram.describe(usage);
        folder.describeFileSystem(usage);
    }

    @Override
    public int run(Streams streams) throws UsageException {
        List<RamFileName> wanted = ram.isEmpty() ? List.of() : ram.names();
        try {
            RamFiles files = folder.open();
            List<RamFile> found = wanted.isEmpty() ? files.check() : files.check(wanted);
            folder.warn(files, streams);
            long size = found.stream().mapToLong(file -> file.name().size()).sum();
            streams.out()
                    .println(files.folder() + ": " + ByteSize.format(size) + " of RAM in "
                            + (found.size() == 1 ? "1 file" : found.size() + " files") + " on " + files.fileSystem());
            return ExitCode.OK;
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
    }
}
