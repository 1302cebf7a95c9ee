package org.exomem.backend.vm;

import java.util.HashSet;
import java.util.Set;
import java.util.function.Consumer;
import org.exomem.images.ram.FileSystemKind;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.memory.MemoryRegion;

/**
 * Warns of guest memory in files of file systems that may hang, once for each file of a front-end. Used on the VM's loop:
 * its requests to the file system are no more than those of mapping the file.
 */
final class MemoryPlaces {
    /** The most warnings for one front-end, which may share memory again and again. */
    private static final int MOST = 16;

    private final Consumer<String> log;
    private final Set<String> told = new HashSet<>();

    MemoryPlaces(Consumer<String> log) {
        this.log = log;
    }

    /** Checks a region that is shared. */
    void shared(MemoryRegion region) {
        Fd file = region.file().fd();
        try {
            FileSystemKind kind = FileSystemKind.of(file);
            if (!kind.isMemory()) {
                kind.warningIfMapped("guest memory " + file.description()).ifPresent(this::tell);
            }
        } catch (LinuxException e) {
            // If the file can't be used, that shows when it is used.
        }
    }

    private void tell(String warning) {
        if (told.size() < MOST && told.add(warning)) {
            log.accept(warning);
        }
    }

    /** Resets the warnings for the next front-end. */
    void frontEndLeft() {
        told.clear();
    }
}
