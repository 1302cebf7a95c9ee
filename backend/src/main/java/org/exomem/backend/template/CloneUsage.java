package org.exomem.backend.template;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.linux.process.FileHolders;
import org.exomem.linux.process.MappedFiles;
import org.exomem.linux.process.MappedMemory;

/**
 * The memory that a clone uses.
 *
 * @param pid of its VMM
 * @param program of its VMM
 * @param own bytes that the guest has written since it is a clone
 * @param shared bytes of the template that it has used but not written
 */
public record CloneUsage(int pid, String program, long own, long shared) {
    /**
     * Returns the usage of all VMMs that have mapped a template's RAM, as far as this user may examine them.
     *
     * @throws IOException if the processes can't be listed
     */
    public static List<CloneUsage> of(ImageFolder image) throws IOException {
        List<String> files = image.ramNames();
        int self = Math.toIntExact(ProcessHandle.current().pid());
        Map<Integer, CloneUsage> clones = new TreeMap<>();
        for (FileHolders.Holder holder : FileHolders.of(files)) {
            if (holder.pid() != self && !holder.shared()) {
                MappedMemory memory = MappedMemory.of(holder.pid(), files);
                MappedMemory withDevices = MappedMemory.of(holder.pid(), ownFiles(image, holder.pid()));
                clones.put(
                        holder.pid(),
                        new CloneUsage(
                                holder.pid(),
                                holder.program(),
                                memory.anonymous() + withDevices.resident(),
                                memory.resident() - memory.anonymous()));
            }
        }
        return List.copyOf(clones.values());
    }

    /** The clone's own files, which it shares with its devices (IMG-CLONE-6). */
    private static List<String> ownFiles(ImageFolder image, int clone) throws IOException {
        List<String> names = image.manifest().ram().stream()
                .map(ram -> ram.name().toString())
                .toList();
        return MappedFiles.of(clone).areas().stream()
                .filter(area -> names.contains(area.fileName()))
                .map(MappedFiles.Area::file)
                .distinct()
                .toList();
    }
}
