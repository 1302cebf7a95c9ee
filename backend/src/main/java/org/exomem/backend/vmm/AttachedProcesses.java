package org.exomem.backend.vmm;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.exomem.backend.vm.PageSharing;
import org.exomem.backend.vm.VmmProcesses;
import org.exomem.backend.vm.WatchedMemory;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PageFaults;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.process.ForeignUserfaultfd;
import org.exomem.linux.process.ForeignUserfaultfd.Left;
import org.exomem.linux.process.MappedFiles;
import org.exomem.linux.process.MappedFiles.Area;
import org.exomem.linux.process.ProcessFd;
import org.exomem.mem.BlockGuard.Stretch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes userfaultfds in QEMUs by attaching to them: one for page faults, which stays open in the QEMU (MEM-GUARD-7), and one
 * for writes, which does not. Safe for use by several threads.
 */
public final class AttachedProcesses implements VmmProcesses {
    private static final Logger LOG = LoggerFactory.getLogger(AttachedProcesses.class);

    /** The userfaultfds that this process uses. Any other one was left by an earlier process. */
    private final Set<Place> taken = ConcurrentHashMap.newKeySet();

    private record Place(int pid, int number) {}

    @Override
    public Attached attach(Path qmp, List<Part> parts, OptionalLong unplugged) throws IOException {
        for (Part part : parts) {
            if (part.file().pageSize() > SharedFile.SMALL_PAGE) {
                throw new IOException("memory with pages of " + part.file().pageSize() + " bytes can't be guarded");
            }
        }
        try (QmpVmm vmm = QmpVmm.connect(qmp);
                WatchedVmm watched = vmm.watched()) {
            ProcessFd process = watched.attachable();
            List<Stretch> stretches = stretches(process, parts);
            Left left = find(process, stretches, unplugged);
            Place place = new Place(process.pid(), left.number());
            taken.add(place);
            return new Attached(new PageFaults(Userfaultfd.inUse(left.fd())), stretches, () -> close(qmp, place));
        }
    }

    @Override
    public List<PageFaults> left(Path qmp) throws IOException {
        try (QmpVmm vmm = QmpVmm.connect(qmp);
                WatchedVmm watched = vmm.watched()) {
            ProcessFd process = watched.attachable();
            List<PageFaults> found = new ArrayList<>();
            for (Left left : ForeignUserfaultfd.left(process, PageFaults.FEATURES)) {
                if (taken.add(new Place(process.pid(), left.number()))) {
                    found.add(new PageFaults(Userfaultfd.inUse(left.fd())));
                } else {
                    left.fd().close();
                }
            }
            return found;
        }
    }

    @Override
    public WatchedMemory watch(Path qmp, List<Part> parts, List<Part> guarded) throws IOException {
        return AttachedWrites.begin(qmp, parts, guarded);
    }

    @Override
    public PageSharing share(Path qmp, int frontEnd, SharedFile file) throws IOException {
        return AttachedSharing.begin(qmp, frontEnd, file);
    }

    private void close(Path qmp, Place place) throws IOException {
        // The process is looked up again, because it may have ended and its process id may belong to another process.
        try (QmpVmm vmm = QmpVmm.connect(qmp);
                WatchedVmm watched = vmm.watched()) {
            ProcessFd process = watched.attachable();
            if (process.pid() == place.pid()) {
                ForeignUserfaultfd.close(process, place.number());
            }
        } finally {
            taken.remove(place);
        }
    }

    private static List<Stretch> stretches(ProcessFd process, List<Part> parts) throws IOException {
        List<Area> areas = MappedFiles.of(process.pid()).areas();
        List<Stretch> stretches = new ArrayList<>();
        for (Part part : parts) {
            String file = MappedFiles.nameOf(part.file());
            long covered = 0;
            for (Area area : areas) {
                long from = Math.max(part.offset(), area.offset());
                long end = Math.min(part.offset() + part.length(), area.offset() + area.length());
                if (area.file().equals(file) && area.writable() && from < end) {
                    stretches.add(new Stretch(
                            part.guestAddress() + from - part.offset(),
                            area.from() + from - area.offset(),
                            end - from));
                    covered += end - from;
                }
            }
            if (covered < part.length()) {
                throw new IOException(process + " has not mapped all of the device's memory");
            }
        }
        return stretches;
    }

    private static Left find(ProcessFd process, List<Stretch> stretches, OptionalLong unplugged) throws IOException {
        if (unplugged.isPresent()) {
            for (Stretch stretch : stretches) {
                long offset = unplugged.getAsLong() - stretch.guestAddress();
                if (offset >= 0 && offset < stretch.length()) {
                    return find(process, stretch.vmmAddress() + offset);
                }
            }
        }
        return make(process);
    }

    /** Takes up the userfaultfd that guards the page. If there is none, makes one. */
    private static Left find(ProcessFd process, long page) throws IOException {
        List<Left> left = new ArrayList<>(ForeignUserfaultfd.left(process));
        try {
            for (Left candidate : left) {
                if (guards(candidate, page)) {
                    left.remove(candidate);
                    LOG.info("took over the guard that an earlier process left in {}", process);
                    return candidate;
                }
            }
        } finally {
            left.forEach(other -> other.fd().close());
        }
        return make(process);
    }

    private static boolean guards(Left candidate, long page) throws LinuxException {
        // Not closed: the descriptor belongs to the candidate.
        PageFaults faults = new PageFaults(Userfaultfd.inUse(candidate.fd()));
        try {
            if (!faults.isWatched(page)) {
                return false;
            }
            faults.register(page, SharedFile.SMALL_PAGE);
            return true;
        } catch (LinuxException e) {
            // EINVAL: no features were requested of it yet.
            if (e.errno() == Errno.EBUSY || e.errno() == Errno.EINVAL) {
                return false;
            }
            throw e;
        }
    }

    private static Left make(ProcessFd process) throws IOException {
        Left left = ForeignUserfaultfd.leave(process);
        try {
            Userfaultfd.of(left.fd(), PageFaults.FEATURES);
            return left;
        } catch (LinuxException e) {
            ForeignUserfaultfd.close(process, left.number());
            throw e;
        }
    }
}
