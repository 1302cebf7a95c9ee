package org.exomem.backend.vm;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.exomem.images.ram.RamFileName;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.MappedFiles;
import org.exomem.linux.process.MappedFiles.Area;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;

/**
 * The file of a clone's own, of which its VMM has mapped only a part: elsewhere the template's file of the same name is in its place (IMG-CLONE-3).
 *
 * @param address in the VMM of the file's first byte
 * @param shared the pages that the VMM has of this file, by their numbers in it
 */
record CloneOwnFile(long address, PageSet shared) {
    /**
     * How a VMM has mapped a file, if that is a clone's.
     *
     * @param vmm its process
     * @return empty if it is none, or that can't be seen
     */
    static Optional<CloneOwnFile> of(SharedFile file, int vmm) {
        // Only files with such a name can be a clone's: no other front-end pays for this look.
        String path = file.fd().description();
        String name = path.substring(path.lastIndexOf('/') + 1);
        if (vmm <= 0 || !name.startsWith(RamFileName.PREFIX)) {
            return Optional.empty();
        }
        try {
            return of(MappedFiles.nameOf(file), name, vmm);
        } catch (IOException e) {
            // Of another user, most likely: nothing can be told of it.
            return Optional.empty();
        }
    }

    private static Optional<CloneOwnFile> of(String file, String name, int vmm) throws IOException {
        List<Area> template = MappedFiles.privateOf(vmm).stream()
                .filter(area -> area.writable() && name.equals(area.fileName()))
                .toList();
        if (template.isEmpty()) {
            return Optional.empty();
        }
        long address = template.getFirst().from() - template.getFirst().offset();
        PageSet shared = new PageSet();
        for (Area area : MappedFiles.of(vmm, file)) {
            if (area.from() - area.offset() == address) {
                shared.addAll(Pages.floor(area.offset()), Pages.floor(area.length()));
            }
        }
        return Optional.of(new CloneOwnFile(address, shared));
    }
}
