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

/**
 * Attaches to the processes of VMMs: for page faults, to guard memory, and for their writes. Safe for use by several
 * threads.
 */
public interface VmmProcesses {
    /** Refuses to attach to any VMM. */
    VmmProcesses NONE = new VmmProcesses() {
        @Override
        public Attached attach(Path qmp, List<Part> parts, OptionalLong unplugged) throws IOException {
            throw new IOException("this process does not attach to VMMs");
        }

        @Override
        public List<PageFaults> left(Path qmp) {
            return List.of();
        }

        @Override
        public WatchedMemory watch(Path qmp, List<Part> parts, List<Part> guarded) throws IOException {
            throw new IOException("this process does not attach to VMMs");
        }
    };

    /**
     * Attaches to the VMM for a moment, or takes up the guard that an earlier process left there. Waits for the VMM: not for
     * event loops.
     *
     * @param qmp the VMM's QMP socket
     * @param parts of the guest's memory that belong to the device
     * @param unplugged guest address of a block that an earlier process may have guarded
     * @throws IOException if that fails, with the reason; the VMM is as before
     */
    Attached attach(Path qmp, List<Part> parts, OptionalLong unplugged) throws IOException;

    /** How long to wait before {@link #attach} is tried again, if a migration had another userfaultfd for the memory. */
    default Duration untilNextTry() {
        return Duration.ofSeconds(10);
    }

    /**
     * Takes up the guards that earlier processes left in the VMM, of all of its devices. Each is returned only once. Waits
     * for the VMM: not for event loops.
     *
     * @param qmp the VMM's QMP socket
     * @throws IOException if the VMM does not answer, or can't be attached to
     */
    List<PageFaults> left(Path qmp) throws IOException;

    /**
     * Attaches to the VMM for a moment, and watches its writes from then on. Waits for the VMM: not for event loops.
     *
     * @param qmp the VMM's QMP socket
     * @param parts of the guest's memory to watch, at least one; the whole files of the parts are watched
     * @param guarded parts that are left to a guard
     * @throws IOException if that fails, with the reason; the VMM is as before
     */
    WatchedMemory watch(Path qmp, List<Part> parts, List<Part> guarded) throws IOException;

    /**
     * Opens a clone's VMM, to make it share pages (IMG-CLONE-6). Waits for the VMM: not for event loops.
     *
     * @param qmp the VMM's QMP socket
     * @param frontEnd the id of the process that has shared the file, which must be the VMM
     * @param file the clone's own; remains the caller's, and must stay open as long as the result
     * @throws IOException if the VMM can't be attached to, with the reason
     */
    default PageSharing share(Path qmp, int frontEnd, SharedFile file) throws IOException {
        throw new IOException("this process does not attach to VMMs");
    }

    /**
     * A part of the guest's memory.
     *
     * @param guestAddress of the first byte
     * @param length in bytes
     * @param file with a descriptor of its own; closed with this
     * @param offset of the first byte in the file
     */
    record Part(long guestAddress, long length, SharedFile file, long offset) implements AutoCloseable {
        /**
         * Returns the bytes of a region from guest address {@code from} to {@code end}, as far as the region has them.
         *
         * @throws LinuxException if the file's descriptor can't be duplicated
         */
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
     * A userfaultfd in a VMM.
     *
     * @param faults guards nothing yet, or what an earlier process guarded
     * @param stretches where the VMM has mapped the parts
     * @param letGo closes in the VMM what was left open there, after {@code faults} was closed; waits for the VMM
     */
    record Attached(PageFaults faults, List<BlockGuard.Stretch> stretches, LetGo letGo) {}

    /** Restores the VMM to its state before it was attached to. */
    @FunctionalInterface
    interface LetGo {
        void run() throws IOException;
    }
}
