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
 * A clone's own RAM file, of which its VMM has mapped only some pages. For all other pages it has mapped the template's file
 * of the same name (IMG-CLONE-3).
 *
 * @param address of the file's first byte in the VMM
 * @param shared the pages that the VMM has mapped from this file, by their page numbers in the file
 */
record CloneOwnFile(long address, PageSet shared) {
    /**
     * Looks up how a VMM has mapped a file.
     *
     * @param vmm its process id
     * @return empty if the file is not a clone's, or its mappings can't be seen
     */
    static Optional<CloneOwnFile> of(SharedFile file, int vmm) {
        // Only a clone's file can have such a name, so that this look costs other front-ends nothing.
        String path = file.fd().description();
        String name = path.substring(path.lastIndexOf('/') + 1);
        if (vmm <= 0 || !name.startsWith(RamFileName.PREFIX)) {
            return Optional.empty();
        }
        try {
            return of(MappedFiles.nameOf(file), name, vmm);
        } catch (IOException e) {
            // The process most likely belongs to another user.
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
