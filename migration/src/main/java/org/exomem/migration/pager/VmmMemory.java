package org.exomem.migration.pager;

import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.exomem.linux.Errno;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PageFaults;
import org.exomem.linux.PageGiver;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.process.MappedFiles;
import org.exomem.linux.process.MappedFiles.Area;
import org.exomem.linux.process.ProcessFd;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.pages.Pages;

/**
 * The memory of a VMM's process, watched for missing pages by a userfaultfd that is also open there. Closing this does not
 * close the other: threads that touch a missing page wait.
 */
public final class VmmMemory implements Pager.Memory, AutoCloseable {
    /** The features of the userfaultfd. No other userfaultfd of exomem has exactly these (PGR-AGAIN-2). */
    public static final Set<Userfaultfd.Feature> FEATURES = EnumSet.of(Userfaultfd.Feature.MISSING_SHARED);

    private final PageFaults faults;
    private final ProcessFd process;
    private final MappedPages mapped;
    private final Leaving leaving;
    private final Kernel kernel = new Kernel();

    /** Closes the process's own descriptor of the userfaultfd. */
    @FunctionalInterface
    public interface Leaving {
        /** @throws IOException if that is not possible */
        void run() throws IOException;
    }

    /**
     * Watches for missing pages; earlier registrations remain.
     *
     * @param userfaultfd with {@link #FEATURES}; owned from now on, also if this fails
     * @param process closed with this, also if this fails
     * @param mapped all of the guest's memory
     * @throws LinuxException EINVAL if the memory is neither on tmpfs nor a memfd, EBUSY if another userfaultfd has a part
     *     of it
     */
    public VmmMemory(Userfaultfd userfaultfd, ProcessFd process, MappedPages mapped, Leaving leaving)
            throws LinuxException {
        this.faults = new PageFaults(userfaultfd);
        this.process = process;
        this.mapped = mapped;
        this.leaving = leaving;
        try {
            for (MappedPages.Range range : mapped.ranges()) {
                faults.registerMissing(range.address(), Pages.bytes(range.pages()));
            }
        } catch (LinuxException e) {
            close();
            throw explained(e);
        }
    }

    private static LinuxException explained(LinuxException e) {
        return switch (e.errno()) {
            case Errno.EINVAL ->
                new LinuxException(
                        "UFFDIO_REGISTER",
                        "the VMM's memory",
                        e.errno(),
                        "missing pages are reported only for shared memory on tmpfs (such as /dev/shm)");
            case Errno.EBUSY ->
                new LinuxException(
                        "UFFDIO_REGISTER",
                        "the VMM's memory",
                        e.errno(),
                        "another userfaultfd is registered for it (another exomem, or the VMM's own post-copy)");
            default -> e;
        };
    }

    /**
     * Finds the addresses at which a process has files mapped.
     *
     * @throws IOException if it has not mapped all of them shared and writable, or may not be examined
     */
    public static MappedPages find(int pid, MemoryImage image) throws IOException {
        List<Area> areas = MappedFiles.of(pid).areas();
        List<MappedPages.Range> ranges = new ArrayList<>();
        for (ImageFile file : image.files()) {
            if (file.file().pageSize() > SharedFile.SMALL_PAGE) {
                throw new IOException("the memory " + file.name() + " has pages of "
                        + file.file().pageSize() + " bytes, which can't be served on demand");
            }
            long first = image.firstPage(file.file()).orElseThrow();
            String name = MappedFiles.nameOf(file.file());
            long covered = 0;
            for (Area area : areas) {
                long end = Math.min(file.size(), area.offset() + area.length());
                if (area.file().equals(name) && area.writable() && area.offset() < end) {
                    ranges.add(new MappedPages.Range(
                            area.from(), first + Pages.floor(area.offset()), Pages.floor(end - area.offset())));
                    covered += end - area.offset();
                }
            }
            if (covered < file.size()) {
                throw new IOException("process " + pid + " has not mapped all of the memory " + file.name());
            }
        }
        return new MappedPages(ranges);
    }

    @Override
    public AddressSpace space() {
        return kernel;
    }

    @Override
    public Fd faults() {
        return faults.fd();
    }

    @Override
    public Fd process() {
        return process.fd();
    }

    @Override
    public MappedPages mapped() {
        return mapped;
    }

    @Override
    public void leave() throws IOException {
        try {
            for (MappedPages.Range range : mapped.ranges()) {
                faults.unregister(range.address(), Pages.bytes(range.pages()));
            }
        } catch (LinuxException e) {
            throw e.errno() == Errno.ESRCH ? new VmmGoneException() : e;
        }
        leaving.run();
    }

    @Override
    public void close() {
        faults.close();
        process.close();
    }

    private final class Kernel implements AddressSpace {
        @Override
        public int take() throws IOException {
            return faults.take();
        }

        @Override
        public long address(int index) {
            return faults.address(index);
        }

        @Override
        public Giver giver() {
            PageGiver giver = new PageGiver(faults.fd());
            return new Giver() {
                @Override
                public long copy(long address, long length, long content) {
                    return giver.copy(address, length, content);
                }

                @Override
                public long zeros(long address, long length) {
                    return giver.zeros(address, length);
                }

                @Override
                public long wake(long address, long length) {
                    return giver.wake(address, length);
                }
            };
        }
    }
}
