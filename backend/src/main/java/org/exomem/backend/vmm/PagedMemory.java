package org.exomem.backend.vmm;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.exomem.backend.launch.VmmCommandLine;
import org.exomem.backend.qmp.VmmException;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.process.FileHolders;
import org.exomem.linux.process.ForeignUserfaultfd.Left;
import org.exomem.linux.process.MappedFiles;
import org.exomem.linux.process.ProcessFd;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pager.MappedPages;
import org.exomem.migration.pager.PresentPages;
import org.exomem.migration.pager.VmmMemory;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The memory of a QEMU whose missing pages come on demand: its files, and a userfaultfd that stays open in the QEMU. Closing
 * this does not close that userfaultfd: a thread that touches a missing page waits. For one thread at a time.
 */
public final class PagedMemory implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PagedMemory.class);

    private final int pid;
    private final List<Path> paths;
    private final MemoryImage files;
    private final VmmMemory memory;

    private PagedMemory(int pid, List<Path> paths, MemoryImage files, VmmMemory memory) {
        this.pid = pid;
        this.paths = List.copyOf(paths);
        this.files = files;
        this.memory = memory;
    }

    /** The remains of an earlier process in a VMM. */
    public sealed interface Found {
        /** The VMM has ended. */
        record Ended() implements Found {}

        /** No userfaultfd: all pages have arrived. */
        record Nothing() implements Found {}

        /** A userfaultfd. Threads that touch a missing page wait for its user. */
        record Taken(PagedMemory memory) implements Found {}
    }

    /**
     * Attaches to a QEMU that waits for a guest, watches its memory for missing pages, and empties it (PGR-BEGIN-1).
     *
     * @param ids of the memory back-ends, in the order in which their pages are numbered
     * @throws IOException if that is not possible, with the reason; the memory may be empty then, and no thread waits for it
     */
    public static PagedMemory attach(Path qmp, List<String> ids) throws IOException {
        try (QmpVmm vmm = QmpVmm.connect(qmp)) {
            return attach(vmm, ids);
        }
    }

    private static PagedMemory attach(QmpVmm vmm, List<String> ids) throws IOException {
        try (Prepared prepared = prepare(vmm, ids)) {
            return prepared.begin(Optional.empty());
        }
    }

    /**
     * Attaches to a QEMU that waits for a guest, so that only {@link Prepared#begin} remains. Nothing is watched yet.
     *
     * @param ids of the memory back-ends, in the order in which their pages are numbered
     * @throws IOException if that is not possible, with the reason
     */
    public static Prepared prepare(QmpVmm vmm, List<String> ids) throws IOException {
        try (WatchedVmm watched = vmm.watched()) {
            vmm.expectIncoming();
            PagerDescriptor kind = watched.handsOver() ? PagerDescriptor.HANDED_OVER : PagerDescriptor.MADE;
            ProcessFd process = watched.pageable();
            refuseSharing(vmm, process.pid());
            List<Path> paths = new ArrayList<>();
            MemoryImage files = open(vmm, ids, paths);
            try {
                MappedPages mapped = VmmMemory.find(process.pid(), files);
                closeLeftOvers(process);
                Left left = watched.leaveUserfaultfd();
                try {
                    return new Prepared(
                            again(process),
                            paths,
                            files,
                            mapped,
                            Userfaultfd.of(left.fd(), kind.features()),
                            kind,
                            left.number());
                } catch (IOException e) {
                    kind.close(process, left.number());
                    throw e;
                }
            } catch (IOException | RuntimeException e) {
                files.close();
                throw e;
            }
        }
    }

    /**
     * Closes what an exomem left that was killed before its guest arrived. Later it would be unknown which userfaultfd
     * counts.
     */
    private static void closeLeftOvers(ProcessFd process) throws IOException {
        for (PagerDescriptor.Found old : PagerDescriptor.all(process)) {
            old.left().fd().close();
            old.kind().close(process, old.left().number());
        }
    }

    /**
     * A QEMU with a userfaultfd that watches nothing yet. Closing this removes the userfaultfd, unless {@link #begin} was
     * called.
     */
    public static final class Prepared implements AutoCloseable {
        private final ProcessFd process;
        private final List<Path> paths;
        private final MemoryImage files;
        private final MappedPages mapped;
        private final Userfaultfd userfaultfd;
        private final PagerDescriptor kind;
        private final int number;
        private final int pid;
        private boolean begun;

        private Prepared(
                ProcessFd process,
                List<Path> paths,
                MemoryImage files,
                MappedPages mapped,
                Userfaultfd userfaultfd,
                PagerDescriptor kind,
                int number) {
            this.process = process;
            this.pid = process.pid();
            this.paths = paths;
            this.files = files;
            this.mapped = mapped;
            this.userfaultfd = userfaultfd;
            this.kind = kind;
            this.number = number;
        }

        public int pid() {
            return process.pid();
        }

        /** The paths of the RAM files, in the order of the files. */
        public List<Path> paths() {
            return List.copyOf(paths);
        }

        /**
         * Watches for missing pages from now on, and makes pages missing (PGR-BEGIN-1).
         *
         * @param emptied the pages to make missing; all pages if empty
         * @throws IOException if that is not possible, with the reason; some pages may be gone then, and no thread waits for
         *     them
         */
        public PagedMemory begin(Optional<PageBits> emptied) throws IOException {
            refuseOtherProcesses(process.pid(), files);
            begun = true;
            VmmMemory memory;
            try {
                memory = new VmmMemory(userfaultfd, process, mapped, () -> kind.close(process, number));
            } catch (IOException e) {
                files.close();
                closeThere(e);
                throw e;
            }
            try {
                empty(files, emptied);
                return new PagedMemory(process.pid(), paths, files, memory);
            } catch (IOException e) {
                try {
                    memory.leave();
                } finally {
                    memory.close();
                    files.close();
                }
                throw e;
            }
        }

        /** Closes the userfaultfd in the VMM. That removes all its registrations. */
        private void closeThere(IOException because) {
            try (ProcessFd once = ProcessFd.open(pid)) {
                kind.close(once, number);
            } catch (IOException e) {
                because.addSuppressed(e);
            }
        }

        @Override
        public void close() {
            if (begun) {
                return;
            }
            begun = true;
            try {
                kind.close(process, number);
            } catch (IOException e) {
                LOG.debug("{} keeps an unused userfaultfd", process, e);
            }
            userfaultfd.close();
            process.close();
            files.close();
        }
    }

    /**
     * Checks as far as possible, without touching a VMM's memory, whether its memory can come on demand.
     *
     * @throws IOException if it can't, with the reason
     */
    public static void expectPossible(QmpVmm vmm, List<String> ids) throws IOException {
        try (WatchedVmm watched = vmm.watched()) {
            int pid = watched.pageable().pid();
            refuseSharing(vmm, pid);
            try (MemoryImage files = open(vmm, ids, new ArrayList<>())) {
                VmmMemory.find(pid, files);
            }
            if (watched.handsOver()) {
                // Nothing in the VMM has to stop for this.
                watched.leaveUserfaultfd().fd().close();
            }
        }
    }

    private static MemoryImage open(QmpVmm vmm, List<String> ids, List<Path> paths) throws IOException {
        List<ImageFile> open = new ArrayList<>();
        try {
            for (GuestRamFile file : inOrder(vmm.ram(), ids)) {
                open.add(new ImageFile(file.id(), SharedFile.open(file.path())));
                paths.add(file.path());
            }
        } catch (IOException e) {
            open.forEach(ImageFile::close);
            throw e;
        }
        return new MemoryImage(open);
    }

    /**
     * Makes pages missing, and checks that they are: punching a hole in a part of a huge page that can't be split frees
     * nothing.
     */
    private static void empty(MemoryImage files, Optional<PageBits> emptied) throws IOException {
        if (emptied.isEmpty()) {
            for (ImageFile file : files.files()) {
                file.file().punchHole(0, file.size());
            }
            return;
        }
        emptied.get().forEachRun(files::punch);
        PageBits left = PresentPages.of(files);
        left.and(emptied.get());
        if (!left.isEmpty()) {
            throw new VmmException(left.count() + " pages of the VM's memory, from page " + left.next(0)
                    + " on, can't be returned to the host, so they can't be served on demand");
        }
    }

    /**
     * Refuses VMs whose memory other processes use: those would find zeros in place of pages that have not arrived, and the
     * zeros would stay.
     */
    private static void refuseSharing(QmpVmm vmm, int pid) throws IOException {
        vmm.directWrites().refusePins();
        String sharing = VmmCommandLine.of(pid).sharing().orElse(null);
        if (sharing != null) {
            throw new VmmException("the VM has \"" + sharing
                    + "\", through which others than its VMM use its memory, so its memory can't be served on demand");
        }
    }

    private static void refuseOtherProcesses(int pid, MemoryImage files) throws IOException {
        List<String> names = new ArrayList<>();
        for (ImageFile file : files.files()) {
            names.add(MappedFiles.nameOf(file.file()));
        }
        for (FileHolders.Holder holder : FileHolders.of(names)) {
            if (holder.pid() != pid) {
                throw new VmmException("process " + holder.pid() + " (" + holder.program()
                        + ") has the VM's memory mapped too, so the memory can't be served on demand");
            }
        }
    }

    private static List<GuestRamFile> inOrder(List<GuestRamFile> ram, List<String> ids) throws VmmException {
        List<GuestRamFile> ordered = new ArrayList<>();
        for (String id : ids) {
            ordered.add(ram.stream()
                    .filter(file -> file.id().equals(id))
                    .findFirst()
                    .orElseThrow(() -> new VmmException("the VMM has no memory \"" + id + "\", which the image has")));
        }
        if (ram.size() > ordered.size()) {
            throw new VmmException("the memory of the VMM does not match that of the image: the VMM has " + ram.size()
                    + " memory files, the image has " + ordered.size());
        }
        return ordered;
    }

    private static VmmMemory of(ProcessFd known, PagerDescriptor.Found found, MappedPages mapped) throws IOException {
        ProcessFd process;
        try {
            process = again(known);
        } catch (IOException e) {
            found.left().fd().close();
            throw e;
        }
        return new VmmMemory(
                Userfaultfd.inUse(found.left().fd()),
                process,
                mapped,
                () -> found.kind().close(process, found.left().number()));
    }

    /** Opens the same process once more. */
    private static ProcessFd again(ProcessFd known) throws IOException {
        ProcessFd process = ProcessFd.open(known.pid());
        if (!known.isAlive()) {
            process.close();
            throw new VmmException(known + " has ended");
        }
        return process;
    }

    /**
     * Takes up what an earlier process has left (PGR-AGAIN-2). The VMM is not asked anything, as it may wait for a page.
     *
     * @param pid of the VMM at that time; by now the number may belong to another process
     * @param paths of the files, in the order in which their pages are numbered
     * @throws IOException if that is not possible now, with the reason; threads that wait go on waiting
     */
    public static Found takeUp(int pid, List<Path> paths) throws IOException {
        try (ProcessFd process = ProcessFd.open(pid)) {
            if (!process.isAlive()) {
                return new Found.Ended();
            }
            return takeUp(process, paths);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ESRCH) {
                return new Found.Ended();
            }
            throw e;
        }
    }

    private static Found takeUp(ProcessFd process, List<Path> paths) throws IOException {
        List<ImageFile> open = new ArrayList<>();
        try {
            for (Path path : paths) {
                open.add(new ImageFile(path.toString(), SharedFile.open(path)));
            }
        } catch (IOException e) {
            open.forEach(ImageFile::close);
            if (!process.isAlive()) {
                return new Found.Ended();
            }
            throw e;
        }
        MemoryImage files = new MemoryImage(open);
        VmmMemory memory = null;
        try {
            if (!hasMapped(process, files)) {
                // Another process has the number now.
                return new Found.Ended();
            }
            memory = left(process, VmmMemory.find(process.pid(), files));
            return memory == null
                    ? new Found.Nothing()
                    : new Found.Taken(new PagedMemory(process.pid(), paths, files, memory));
        } finally {
            if (memory == null) {
                files.close();
            }
        }
    }

    private static boolean hasMapped(ProcessFd process, MemoryImage files) throws IOException {
        MappedFiles mapped = MappedFiles.of(process.pid());
        for (ImageFile file : files.files()) {
            String name = MappedFiles.nameOf(file.file());
            if (mapped.areas().stream().noneMatch(area -> area.file().equals(name))) {
                return false;
            }
        }
        return true;
    }

    /**
     * Selects the userfaultfd that watches this memory. The kernel lets only one do so at a time. Null if none was left.
     *
     * @throws IOException if the memory is watched, but by none of a pager's userfaultfds
     */
    private static @Nullable VmmMemory left(ProcessFd process, MappedPages mapped) throws IOException {
        List<PagerDescriptor.Found> left = new ArrayList<>(PagerDescriptor.all(process));
        VmmMemory taken = null;
        LinuxException busy = null;
        try {
            while (taken == null && !left.isEmpty()) {
                try {
                    taken = of(process, left.removeFirst(), mapped);
                } catch (LinuxException e) {
                    if (e.errno() != Errno.EBUSY) {
                        throw e;
                    }
                    busy = e;
                }
            }
        } finally {
            left.forEach(other -> other.left().fd().close());
        }
        if (taken == null && busy != null) {
            throw busy;
        }
        if (taken != null) {
            LOG.info("took over the userfaultfd that an earlier process left in {}", process);
        }
        return taken;
    }

    /**
     * Makes more pages missing, before any thread may touch one.
     *
     * @throws IOException if they can't be given back to the host
     */
    public void emptyAlso(PageBits pages) throws IOException {
        if (!pages.isEmpty()) {
            empty(files, Optional.of(pages));
        }
    }

    public int pid() {
        return pid;
    }

    /** The paths of the RAM files, in the order of the files. */
    public List<Path> paths() {
        return paths;
    }

    /** The content of the files. */
    public MemoryImage files() {
        return files;
    }

    /** The mapped memory, for a pager. */
    public VmmMemory memory() {
        return memory;
    }

    @Override
    public void close() {
        memory.close();
        files.close();
    }
}
