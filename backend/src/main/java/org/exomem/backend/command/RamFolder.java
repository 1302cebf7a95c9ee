package org.exomem.backend.command;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.images.ram.RamFile;
import org.exomem.images.ram.RamFiles;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.FileHolders;
import org.exomem.linux.process.FileHolders.Holder;
import org.exomem.linux.process.MappedFiles;

/** The folder of RAM files for a command, and the warning of slow file systems. */
final class RamFolder {
    private Path path = Path.of("");
    private boolean anyFileSystem;

    void describe(Usage usage) {
        usage.parameter("DIR", "The folder with the VM's RAM files.", Completion.FILE, value -> path = Path.of(value));
    }

    void describeFileSystem(Usage usage) {
        usage.flag(
                "--any-fs",
                "Does not warn about a file system that is slower than memory.",
                () -> anyFileSystem = true);
    }

    Path path() {
        return path;
    }

    RamFiles open() throws IOException {
        return RamFiles.in(path);
    }

    void warn(RamFiles files, Streams streams) throws IOException {
        if (!anyFileSystem) {
            files.fileSystem().warning(files.folder()).ifPresent(streams::note);
        }
    }

    /** The processes that have a RAM file mapped, as far as this user may know. */
    static List<Holder> holders(RamFile file) throws IOException {
        try (SharedFile open = SharedFile.openForReading(file.path())) {
            if (open.size() == 0) {
                return List.of();
            }
            int own = Math.toIntExact(ProcessHandle.current().pid());
            return FileHolders.of(List.of(MappedFiles.nameOf(open))).stream()
                    .filter(holder -> holder.pid() != own)
                    .toList();
        }
    }

    static String text(List<Holder> holders) {
        List<String> texts = new ArrayList<>();
        for (Holder holder : holders) {
            texts.add(holder.program() + " " + holder.pid() + (holder.shared() ? "" : " (private)"));
        }
        return texts.isEmpty() ? "-" : String.join(", ", texts);
    }
}
