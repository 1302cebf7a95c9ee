package org.exomem.backend.template;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.exomem.backend.launch.VmmCommandLine;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.Manifest;
import org.exomem.images.ram.FileSystemKind;
import org.exomem.images.ram.RamFileName;
import org.exomem.images.ram.RamFiles;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.ForeignMappings;
import org.exomem.linux.process.MappedFiles;
import org.exomem.linux.process.MappedFiles.Area;
import org.exomem.linux.process.ProcessFd;
import org.exomem.pages.Pages;

/**
 * The RAM of a clone. The VMM maps the clone's own RAM file, shared and empty, so that it saves its state without RAM
 * (VMM-6) and can get shared pages there. Where the template's file has data, it is mapped over that, privately:
 *
 * <pre>
 * the template         data            hole    data
 * the VMM's RAM      [ template, private | own | template, private ]
 * the clone's file   [ hole                                        ]
 * </pre>
 *
 * <p>The region of a memory device is a hole, because a saved VM has no plugged blocks.
 */
final class CloneRam {
    /** Bytes. With it, a VMM of 8 GiB has at most 256 parts. */
    private static final long LEAST_HOLE = 32 << 20;

    private final ImageFolder image;

    CloneRam(ImageFolder image) {
        this.image = image;
    }

    private List<RamFileName> names() {
        return image.manifest().ram().stream().map(Manifest.Ram::name).toList();
    }

    /**
     * Makes the clone's own files, and returns the options of its VMM.
     *
     * @throws IOException if the files can't be made
     */
    VmmCommandLine make(VmmCommandLine line, Path folder) throws IOException {
        RamFiles files = RamFiles.in(folder);
        if (files.fileSystem() == FileSystemKind.HUGETLBFS) {
            throw new IOException(
                    folder + " is on hugetlbfs, where clones can't be: name another folder with --folder");
        }
        files.create(names(), RamFiles.Room.ON_DEMAND);
        VmmCommandLine changed = line;
        for (RamFileName name : names()) {
            changed = changed.withEmptyMemory(name.name(), files.path(name))
                    .withTemplate(name.name(), image.ram(name), name.size());
        }
        return changed;
    }

    /**
     * Maps the template over a clone's RAM. Must be called before the VMM loads a state.
     *
     * @throws IOException if the VMM can't be attached to, with the reason
     */
    void put(int pid, Path folder) throws IOException {
        RamFiles files = RamFiles.in(folder);
        try (ProcessFd process = ProcessFd.open(pid)) {
            for (RamFileName name : names()) {
                try (SharedFile template = image.openRam(name);
                        SharedFile own = files.openForReading(name)) {
                    Area from = only(MappedFiles.privateOf(pid), MappedFiles.nameOf(template), name);
                    Area over = only(MappedFiles.of(pid).areas(), MappedFiles.nameOf(own), name);
                    ForeignMappings.putOver(
                            process, from.from(), name.size(), parts(template, from.from(), over.from()));
                }
            }
        }
    }

    /** The parts where the template has data. Small holes count as data, or there would be too many parts. */
    private static List<ForeignMappings.Part> parts(SharedFile template, long from, long over) throws IOException {
        List<ForeignMappings.Part> parts = new ArrayList<>();
        long end = template.size();
        long data = template.nextData(0);
        while (data >= 0) {
            long hole = template.nextHole(data);
            long next = template.nextData(hole);
            while (next >= 0 && next - hole < LEAST_HOLE) {
                hole = template.nextHole(next);
                next = template.nextData(hole);
            }
            parts.add(new ForeignMappings.Part(
                    from + data, over + data, Math.min(end, Pages.bytes(Pages.ceil(hole))) - data));
            data = next;
        }
        // After a file is truncated, its end looks like a hole.
        if (template.size() < end) {
            throw new IOException(template + " was truncated");
        }
        return parts;
    }

    private static Area only(List<Area> areas, String file, RamFileName name) throws IOException {
        List<Area> found = areas.stream()
                .filter(area -> area.file().equals(file) && area.offset() == 0 && area.length() == name.size())
                .toList();
        if (found.size() != 1) {
            throw new IOException("the VMM did not map the RAM \"" + name.name() + "\" as its options say");
        }
        return found.getFirst();
    }
}
