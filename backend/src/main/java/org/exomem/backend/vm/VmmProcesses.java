package org.exomem.backend.vm;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PageFaults;
import org.exomem.linux.SharedFile;
import org.exomem.mem.BlockGuard;
import org.exomem.vhostuser.memory.MemoryRegion;

/** Attaches to the processes of VMMs: for page faults, to guard memory, and for what they write. Safe for use by several threads. */
public interface VmmProcesses {
    /** Attaches to nothing. */
    VmmProcesses NONE = new VmmProcesses() {
        @Override
        public Attached attach(Path qmp, List<Part> parts, OptionalLong unplugged) throws IOException {
            throw new IOException("no VMM is attached to here");
        }

        @Override
        public List<PageFaults> left(Path qmp) {
            return List.of();
        }

        @Override
        public WatchedMemory watch(Path qmp, List<Part> parts, List<Part> guarded) throws IOException {
            throw new IOException("no VMM is attached to here");
        }
    };

    /**
     * Attaches to the VMM for a moment, or takes up what an earlier process left there. Waits for the VMM: not for a loop.
     *
     * @param qmp the VMM's QMP socket
     * @param parts of the guest's memory, those of the device
     * @param unplugged guest address of a block that an earlier process may have guarded
     * @throws IOException if that can't be done, saying why; the VMM is as it was
     */
    Attached attach(Path qmp, List<Part> parts, OptionalLong unplugged) throws IOException;

    /** How long to wait before {@link #attach} is tried again where another userfaultfd had the memory: a migration watches it. */
    default Duration untilNextTry() {
        return Duration.ofSeconds(10);
    }

    /**
     * Gets hold of what earlier processes left in the VMM, of all of its devices, once only. Waits for the VMM: not for a loop.
     *
     * @param qmp the VMM's QMP socket
     * @throws IOException if the VMM can't be asked
     */
    List<PageFaults> left(Path qmp) throws IOException;

    /**
     * Attaches to the VMM for a moment, and watches from then on what it writes. Waits for the VMM: not for a loop.
     *
     * @param qmp the VMM's QMP socket
     * @param parts of the guest's memory to be watched, at least one, with the whole files that they are in
     * @param guarded parts that are left to a guard
     * @throws IOException if that can't be done, saying why; the VMM is as it was
     */
    WatchedMemory watch(Path qmp, List<Part> parts, List<Part> guarded) throws IOException;

    /**
     * Gets hold of a clone's VMM, to have it share pages (IMG-CLONE-6). Waits for the VMM: not for a loop.
     *
     * @param qmp the VMM's QMP socket
     * @param frontEnd the process that has shared the file; it has to be the VMM
     * @param file the clone's own, which stays the caller's and open as long as what is returned
     * @throws IOException if the VMM can't be attached to, saying why
     */
    default PageSharing share(Path qmp, int frontEnd, SharedFile file) throws IOException {
        throw new IOException("no VMM is attached to here");
    }

    /**
     * A part of the guest's memory.
     *
     * @param guestAddress of the first byte
     * @param length bytes
     * @param file a descriptor of its own, to be closed by whoever has this
     * @param offset of the first byte in the file
     */
    record Part(long guestAddress, long length, SharedFile file, long offset) implements AutoCloseable {
        /** Of the bytes from {@code from} to {@code end} that a region has. */
        static Part of(MemoryRegion region, long from, long end) throws LinuxException {
            long start = Math.max(from, region.guestAddress());
            return new Part(
                    start,
                    Math.min(end, region.guestAddress() + region.size()) - start,
                    new SharedFile(region.file().fd().duplicate()),
                    region.fileOffset() + start - region.guestAddress());
        }

        @Override
        public void close() {
            file.close();
        }
    }

    /**
     * What was got hold of.
     *
     * @param faults guards nothing yet, or what an earlier process guarded
     * @param stretches where the VMM has the parts
     * @param letGo closes in the VMM what was left open there, once {@code faults} are closed; waits for the VMM
     */
    record Attached(PageFaults faults, List<BlockGuard.Stretch> stretches, LetGo letGo) {}

    /** Leaves the VMM as it was before it was attached to. */
    @FunctionalInterface
    interface LetGo {
        void run() throws IOException;
    }
}
