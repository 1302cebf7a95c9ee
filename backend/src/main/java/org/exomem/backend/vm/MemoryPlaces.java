package org.exomem.backend.vm;

import java.util.HashSet;
import java.util.Set;
import java.util.function.Consumer;
import org.exomem.images.ram.FileSystemKind;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.memory.MemoryRegion;

/**
 * Warns of guest memory in files of file systems that may hang, once for each file of a front-end. On the VM's loop: what is asked of the file system
 * is no more than what mapping the file has asked already.
 */
final class MemoryPlaces {
    /** Which are told of; a front-end may share more and more. */
    private static final int MOST = 16;

    private final Consumer<String> log;
    private final Set<String> told = new HashSet<>();

    MemoryPlaces(Consumer<String> log) {
        this.log = log;
    }

    /** A region is shared. */
    void shared(MemoryRegion region) {
        Fd file = region.file().fd();
        try {
            FileSystemKind kind = FileSystemKind.of(file);
            if (!kind.isMemory()) {
                kind.warningIfMapped("guest memory " + file.description()).ifPresent(this::tell);
            }
        } catch (LinuxException e) {
            // Whether it is of use shows itself where it is used.
        }
    }

    private void tell(String warning) {
        if (told.size() < MOST && told.add(warning)) {
            log.accept(warning);
        }
    }

    /** Another front-end is told of anew. */
    void frontEndLeft() {
        told.clear();
    }
}
