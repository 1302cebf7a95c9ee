package org.exomem.backend.template;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.exomem.backend.launch.VmmCommandLine;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.Manifest;
import org.exomem.images.ram.RamFileName;
import org.exomem.images.ram.RamFiles;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.ForeignMappings;
import org.exomem.linux.process.MappedFiles;
import org.exomem.linux.process.MappedFiles.Area;
import org.exomem.linux.process.ProcessFd;

/**
 * The RAM of a clone. Its VMM has a file of the clone's own for it, shared and empty, so that it saves its state without RAM (VMM-6) and can
 * be given shared pages there. Over that the template's file is put, mapped privately:
 *
 * <pre>
 * the VMM's RAM      [ template, private ........................ ]
 * beneath it         [ the clone's own file, shared, a hole ...... ]
 * </pre>
 */
final class CloneRam {
    private final ImageFolder image;

    CloneRam(ImageFolder image) {
        this.image = image;
    }

    private List<RamFileName> names() {
        return image.manifest().ram().stream().map(Manifest.Ram::name).toList();
    }

    /** Makes the files of a clone's own, and the options of its VMM. */
    VmmCommandLine make(VmmCommandLine line, Path folder) throws IOException {
        RamFiles files = RamFiles.in(folder);
        files.create(names(), RamFiles.Room.ON_DEMAND);
        VmmCommandLine changed = line;
        for (RamFileName name : names()) {
            changed = changed.withEmptyMemory(name.name(), files.path(name))
                    .withTemplate(name.name(), image.ram(name), name.size());
        }
        return changed;
    }

    /**
     * Puts the template over a clone's RAM; before its VMM has loaded anything.
     *
     * @throws IOException if the VMM can't be attached to, saying why
     */
    void put(int pid, Path folder) throws IOException {
        RamFiles files = RamFiles.in(folder);
        try (ProcessFd process = ProcessFd.open(pid)) {
            for (RamFileName name : names()) {
                try (SharedFile template = image.openRam(name);
                        SharedFile own = files.openForReading(name)) {
                    Area from = only(MappedFiles.privateOf(pid), MappedFiles.nameOf(template), name);
                    Area over = only(MappedFiles.of(pid).areas(), MappedFiles.nameOf(own), name);
                    ForeignMappings.putOver(process, from.from(), name.size(), over.from());
                }
            }
        }
    }

    private static Area only(List<Area> areas, String file, RamFileName name) throws IOException {
        List<Area> found = areas.stream()
                .filter(area -> area.file().equals(file) && area.offset() == 0 && area.length() == name.size())
                .toList();
        if (found.size() != 1) {
            throw new IOException("the VMM has not mapped the RAM \"" + name.name() + "\" as it was told to");
        }
        return found.getFirst();
    }
}
