package org.exomem.backend.command;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.ram.RamFile;
import org.exomem.images.ram.RamFiles;
import org.exomem.linux.process.FileHolders.Holder;

/** {@code exomem ram remove}. */
final class RamRemoveCommand implements Command {
    private final RamFolder folder = new RamFolder();
    private final List<String> names = new ArrayList<>();
    private boolean force;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Removes the RAM files of a folder, all of them or the given parts.",
                "Refuses, and removes none, if a process maps one of them or a saved VM needs them. Keeps the folder"
                        + " and its other files.");
        folder.describe(usage);
        usage.words("NAME", "Parts of the RAM (default: all).", Completion.NOTHING, names::add);
        usage.flag(
                "--force",
                "Removes them anyway. A process that maps one keeps the memory, but no other process can open the file"
                        + " again.",
                () -> force = true);
    }

    @Override
    public int run(Streams streams) {
        try {
            RamFiles files = folder.open();
            List<RamFile> wanted = wanted(files);
            if (!force) {
                check(wanted);
            }
            for (RamFile file : wanted) {
                files.remove(file.name());
                streams.out().println("removed " + file.path());
            }
            return ExitCode.OK;
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
    }

    private List<RamFile> wanted(RamFiles files) throws IOException {
        List<RamFile> there = files.list();
        for (String name : names) {
            if (there.stream().noneMatch(file -> file.name().name().equals(name))) {
                throw new CommandFailure(
                        ExitCode.FAILED, "there is no RAM file of \"" + name + "\" in " + files.folder());
            }
        }
        if (there.isEmpty()) {
            throw new CommandFailure(ExitCode.FAILED, "there is no RAM file in " + files.folder());
        }
        return there.stream()
                .filter(file -> names.isEmpty() || names.contains(file.name().name()))
                .toList();
    }

    private void check(List<RamFile> wanted) throws IOException {
        if (ImageFolder.isIn(folder.path())) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    folder.path()
                            + " holds a saved VM, which can't be restored without its RAM files; nothing is removed."
                            + " Remove the folder, or use --force");
        }
        for (RamFile file : wanted) {
            List<Holder> holders = RamFolder.holders(file);
            if (!holders.isEmpty()) {
                throw new CommandFailure(
                        ExitCode.FAILED,
                        file.path() + " is mapped by a running process: " + RamFolder.text(holders)
                                + "; nothing is removed. End the VM, or use --force");
            }
        }
    }
}
