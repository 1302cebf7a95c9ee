package org.exomem.migration.pagesource;

import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.WrittenPages;
import org.exomem.linux.process.MappedFiles;
import org.exomem.linux.process.MappedFiles.Area;
import org.exomem.linux.process.MappedFiles.Mapper;
import org.exomem.linux.process.ProcessFd;
import org.exomem.linux.process.ProcessStatus;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.pages.PageBits;
import org.exomem.pages.Pages;
import org.jspecify.annotations.Nullable;

/**
 * The writes of the VMM's process, which has the guest's memory mapped, read from its page tables (MIG-WATCH). For one
 * thread. {@link #close} removes everything from the process, and so does the end of this process.
 */
public final class WatchedWrites implements DirtySource, AutoCloseable {
    /** The features that the process's userfaultfd must have. */
    public static final Set<Userfaultfd.Feature> FEATURES = EnumSet.of(
            Userfaultfd.Feature.WRITE_PROTECT_SHARED,
            Userfaultfd.Feature.WRITE_PROTECT_UNPOPULATED,
            Userfaultfd.Feature.WRITE_PROTECT_ASYNC);

    /** Watches the process at any rate of writes. */
    public static final long ANY_RATE = Long.MAX_VALUE;

    /** Pages a second. A page fault takes 10 us, so this rate takes all of the time of one processor. */
    public static final long BEARABLE_RATE = 100_000;

    private static final int SELF = (int) ProcessHandle.current().pid();

    /** The largest size of a huge page. A range must not end within one. */
    private static final long HUGE = 1L << 30;
    /**
     * Two threads examine larger ranges, because this takes most of the time that a watch of a large guest needs to begin.
     */
    private static final long ALONE_BYTES = 2 * HUGE;

    private final ProcessFd process;
    private final Userfaultfd userfaultfd;
    private final WrittenPages written;
    /** For another thread. */
    private final WrittenPages writtenToo;

    private final boolean direct;
    /** True if writes of other processes are ignored. */
    private final boolean alone;

    private final Consumer<String> note;
    /** The number of each file's first page in the image, by the file's name in mappings. */
    private final Map<String, Long> firstPages = new HashMap<>();

    private final List<NamedPart> leftOut = new ArrayList<>();
    private final List<String> files;
    /** Pages that a process may write that is not watched (MIG-WATCH-4). */
    private final PageBits unwatched;

    private List<Area> areas = List.of();
    private boolean watchesAny;
    /** Why a part can't be watched. Reported once, as the guard of unplugged memory comes and goes with each block. */
    private Optional<String> refused = Optional.empty();

    private boolean refusalTold;
    private Optional<String> lost = Optional.empty();
    /** The search for processes that have the files mapped, while it runs. */
    private @Nullable Errand<List<Mapper>> mappers;

    /**
     * Begins to watch: all later writes are reported.
     *
     * @param process the id of the VMM's process
     * @param userfaultfd made in that process, with {@link #FEATURES}; owned from now on, also if this fails
     * @param direct whether the process has devices that write memory which was pinned before, so that their writes are
     *     reported early (MIG-DIRTY-8); no such write may be under way now
     * @param mostPerSecond the most new pages that the process may write per second without being slowed too much, or {@link
     *     #ANY_RATE}
     * @param note receives each limitation of the watch once, for people
     * @throws IOException if the process can't be watched, with the reason
     */
    public static WatchedWrites begin(
            int process,
            Userfaultfd userfaultfd,
            MemoryImage image,
            boolean direct,
            long mostPerSecond,
            Consumer<String> note)
            throws IOException {
        return begin(process, userfaultfd, image, direct, Optional.empty(), mostPerSecond, note);
    }

    /**
     * A part of a file, of whole pages.
     *
     * @param offset of the first byte
     * @param length in bytes
     */
    public record FilePart(SharedFile file, long offset, long length) {}

    /**
     * Begins to watch only this process: for an estimate that may ignore the writes of other processes.
     *
     * @param process the id of the VMM's process
     * @param userfaultfd as in {@link #begin}
     * @param leftOut parts of the image that are never registered, so that another userfaultfd may have them; they count as
     *     written at each sync
     * @throws IOException if the process can't be watched, with the reason
     */
    public static WatchedWrites beginAlone(
            int process, Userfaultfd userfaultfd, MemoryImage image, List<FilePart> leftOut, Consumer<String> note)
            throws IOException {
        return begin(process, userfaultfd, image, false, Optional.of(leftOut), ANY_RATE, note);
    }

    private static WatchedWrites begin(
            int process,
            Userfaultfd userfaultfd,
            MemoryImage image,
            boolean direct,
            Optional<List<FilePart>> alone,
            long mostPerSecond,
            Consumer<String> note)
            throws IOException {
        ProcessFd itself;
        try {
            itself = ProcessFd.open(process);
        } catch (IOException e) {
            userfaultfd.close();
            throw e;
        }
        List<WrittenPages> written = new ArrayList<>();
        try {
            written.add(WrittenPages.of(process));
            written.add(WrittenPages.of(process));
        } catch (IOException e) {
            written.forEach(WrittenPages::close);
            userfaultfd.close();
            itself.close();
            throw e;
        }
        WatchedWrites watch = new WatchedWrites(itself, userfaultfd, written, image, direct, alone.isPresent(), note);
        try {
            watch.nameFiles(image);
            watch.leaveOut(alone.orElse(List.of()));
            watch.beginSync();
            // A huge page costs one fault, however many pages it has.
            if (image.files().stream().allMatch(file -> file.file().pageSize() == Pages.SIZE)) {
                watch.expectFewWrites(mostPerSecond);
            }
            watch.look(new PageBits(image.pages()));
            if (watch.areas.isEmpty()) {
                throw new IOException(watch.process + " has none of the guest's memory mapped");
            }
            if (!watch.watchesAny) {
                throw new IOException(watch.refused.orElse("the VMM has no writable mapping of it"));
            }
            return watch;
        } catch (IOException e) {
            IOException explained = watch.explained(e);
            watch.close();
            throw explained;
        } catch (RuntimeException e) {
            watch.close();
            throw e;
        }
    }

    /**
     * Checks, before a process is attached to, that it has the guest's memory: it may be a proxy of its VMM's control
     * socket, or the process that made the socket for the VMM.
     *
     * @throws IOException if it has none of the memory mapped, or may not be examined
     */
    public static void expectMapped(int process, MemoryImage image) throws IOException {
        List<String> files = new ArrayList<>();
        for (ImageFile file : image.files()) {
            files.add(MappedFiles.nameOf(file.file()));
        }
        if (MappedFiles.of(process).areas().stream().noneMatch(area -> files.contains(area.file()))) {
            throw new IOException("process " + process + " (" + nameOf(process)
                    + "), which listens on the VMM's QMP socket, has none of the guest's memory mapped");
        }
    }

    private WatchedWrites(
            ProcessFd process,
            Userfaultfd userfaultfd,
            List<WrittenPages> written,
            MemoryImage image,
            boolean direct,
            boolean alone,
            Consumer<String> note) {
        this.process = process;
        this.userfaultfd = userfaultfd;
        this.written = written.get(0);
        this.writtenToo = written.get(1);
        this.direct = direct;
        this.alone = alone;
        this.note = note;
        this.files = new ArrayList<>();
        this.unwatched = new PageBits(image.pages());
    }

    private record NamedPart(String file, long offset, long length) {}

    private void leaveOut(List<FilePart> parts) throws IOException {
        for (FilePart part : parts) {
            String name = MappedFiles.nameOf(part.file());
            Long first = firstPages.get(name);
            if (first != null) {
                leftOut.add(new NamedPart(name, part.offset(), part.length()));
                add(unwatched, first + Pages.floor(part.offset()), Pages.ceil(part.length()));
            }
        }
    }

    private void nameFiles(MemoryImage image) throws IOException {
        for (ImageFile file : image.files()) {
            String name = MappedFiles.nameOf(file.file());
            files.add(name);
            firstPages.put(name, image.firstPage(file.file()).orElseThrow());
        }
    }

    /** Begins the search through all processes, which takes longer than everything else. */
    @Override
    public void beginSync() {
        if (!alone && lost.isEmpty() && mappers == null) {
            mappers = Errand.begin("watch-" + process.pid(), () -> MappedFiles.ofAllThatMap(files));
        }
    }

    @Override
    public void sync(PageBits into) {
        if (lost.isEmpty()) {
            try {
                look(into);
            } catch (IOException e) {
                String why = String.valueOf(explained(e).getMessage());
                lost = Optional.of(why);
                note.accept("the writes of the VMM can no longer be tracked, so its memory is compared from now on: "
                        + why);
            }
        }
        if (lost.isPresent()) {
            // MIG-WATCH-5
            into.addAll();
        } else {
            into.or(unwatched);
        }
    }

    /** Replaces a failure that is due to the end of the process. */
    private IOException explained(IOException failure) {
        try {
            return process.isAlive() ? failure : new IOException(process + " has ended", failure);
        } catch (LinuxException e) {
            return failure;
        }
    }

    /** MIG-WATCH-8 */
    private void expectFewWrites(long mostPerSecond) throws IOException {
        if (mostPerSecond == ANY_RATE) {
            return;
        }
        List<Area> pieces = ofTheImage(MappedFiles.of(process.pid()).pieces()).stream()
                .filter(Area::writable)
                .toList();
        if (writesMore(pieces, mostPerSecond)) {
            throw new IOException(
                    "the guest writes too much memory to track it without stopping it repeatedly: more than "
                            + mostPerSecond + " different pages each second");
        }
    }

    private boolean writesMore(List<Area> pieces, long mostPerSecond) throws IOException {
        try {
            return WriteRate.exceeds(userfaultfd, written, pieces, mostPerSecond);
        } catch (LinuxException e) {
            if (e.errno() == Errno.EBUSY) {
                // Another userfaultfd has a part of it (MIG-WATCH-7): the other parts are watched.
                return false;
            }
            throw e;
        }
    }

    private void look(PageBits into) throws IOException {
        MappedFiles mapped = MappedFiles.of(process.pid());
        List<Area> pieces = ofTheImage(mapped.pieces());
        followMappings(ofTheImage(mapped.areas()), pieces, into);
        for (Area piece : pieces) {
            try {
                fetch(piece, into);
            } catch (LinuxException e) {
                if (e.errno() != Errno.EPERM) {
                    throw e;
                }
                // Not watched: mapped anew at the same address (MIG-WATCH-3), or never watched.
                if (register(piece)) {
                    addAll(into, piece);
                    // Protects it.
                    fetch(piece, into);
                }
            }
        }
        if (!alone) {
            findOtherWriters();
        }
        if (!process.isAlive()) {
            // The data above may be that of another process that has the number now.
            throw new IOException(process + " has ended");
        }
        if (refused.isPresent() && watchesAny && !refusalTold) {
            refusalTold = true;
            note.accept("part of the VMM's memory is compared instead of tracked: " + refused.orElseThrow());
        }
    }

    private void fetch(Area area, PageBits into) throws IOException {
        if (area.length() <= ALONE_BYTES) {
            fetch(written, area, area.from(), area.to(), into);
            return;
        }
        long middle = area.from() + (area.length() / 2 & -HUGE);
        PageBits upper = new PageBits(into.pages());
        Errand<PageBits> rest = Errand.begin("watch-" + process.pid(), () -> {
            fetch(writtenToo, area, middle, area.to(), upper);
            return upper;
        });
        try {
            fetch(written, area, area.from(), middle, into);
        } finally {
            into.or(rest.result());
        }
    }

    private void fetch(WrittenPages from, Area area, long start, long end, PageBits into) throws LinuxException {
        long first = firstPage(area);
        // Huge pages are reported as whole pages too.
        from.fetch(
                start,
                end,
                (begin, to) -> add(into, first + Pages.floor(begin - area.from()), Pages.floor(to - begin)));
    }

    private static void add(PageBits into, long first, long count) {
        long end = Math.min(first + count, into.pages());
        if (end > first) {
            into.add(first, end - first);
        }
    }

    private List<Area> ofTheImage(List<Area> mapped) {
        return mapped.stream()
                .filter(area -> firstPages.containsKey(area.file()))
                .flatMap(area -> withoutLeftOut(area).stream())
                .toList();
    }

    private List<Area> withoutLeftOut(Area area) {
        List<Area> left = List.of(area);
        for (NamedPart part : leftOut) {
            if (part.file().equals(area.file())) {
                left = left.stream()
                        .flatMap(piece -> piece.without(part.offset(), part.length()).stream())
                        .toList();
            }
        }
        return left;
    }

    /** New and removed mappings may have been written without a sign (MIG-WATCH-3). */
    private void followMappings(List<Area> now, List<Area> pieces, PageBits into) throws LinuxException {
        for (Area area : areas) {
            if (!now.contains(area)) {
                addAll(into, area);
            }
        }
        for (Area area : now) {
            if (!areas.contains(area)) {
                for (Area piece : pieces) {
                    if (piece.from() >= area.from() && piece.to() <= area.to()) {
                        register(piece);
                    }
                }
                addAll(into, area);
            }
        }
        areas = now;
    }

    /**
     * Returns false if it can't be watched: the file was opened for reading only, so it is never written there; or another
     * userfaultfd has it, so it is compared (MIG-WATCH-7).
     */
    private boolean register(Area piece) throws LinuxException {
        try {
            userfaultfd.register(piece.from(), piece.length(), EnumSet.of(Userfaultfd.Mode.WRITE_PROTECT));
            watchesAny = true;
            return true;
        } catch (LinuxException e) {
            if (e.errno() == Errno.EPERM && !piece.writable()) {
                return false;
            }
            if (e.errno() == Errno.EBUSY) {
                addAll(unwatched, piece);
                refused = Optional.of(String.valueOf(e.getMessage()));
                return false;
            }
            throw e;
        }
    }

    private void addAll(PageBits into, Area area) {
        add(into, firstPage(area), Pages.ceil(area.length()));
    }

    private long firstPage(Area area) {
        return Objects.requireNonNull(firstPages.get(area.file())) + Pages.floor(area.offset());
    }

    /** exomem's own devices have a log of their own. */
    private void findOtherWriters() throws IOException {
        Errand<List<Mapper>> begun = mappers;
        mappers = null;
        for (Mapper mapper : begun == null ? MappedFiles.ofAllThatMap(files) : begun.result()) {
            if (mapper.pid() != process.pid() && mapper.pid() != SELF) {
                mapper.areas().stream().filter(Area::writable).forEach(area -> leaveToOthers(mapper.pid(), area));
            }
        }
    }

    /**
     * Counts the memory as unwatched for the rest of the watch, because writes of that process before it unmaps the memory
     * would not be seen.
     */
    private void leaveToOthers(int pid, Area area) {
        long before = unwatched.count();
        addAll(unwatched, area);
        long more = unwatched.count() - before;
        if (more > 0) {
            note.accept("process " + pid + " (" + nameOf(pid) + ") has " + (Pages.bytes(more) >> 20)
                    + " MiB of the guest's memory mapped and may write it: that part is compared instead of tracked");
        }
    }

    private static String nameOf(int pid) {
        try {
            return ProcessStatus.of(pid).name();
        } catch (IOException e) {
            return "it has ended";
        }
    }

    /** How many pages count as written at each sync, because they are not watched. */
    public long unwatchedPages() {
        return unwatched.count();
    }

    /** Removes unwatched pages from a set that {@link #sync} has filled. */
    public void removeUnwatched(PageBits from) {
        from.andNot(unwatched);
    }

    @Override
    public boolean mayTellEarly() {
        return direct;
    }

    /** Why it can't watch any more, for people; empty while it can. */
    public Optional<String> lost() {
        return lost;
    }

    @Override
    public void close() {
        written.close();
        writtenToo.close();
        userfaultfd.close();
        process.close();
    }
}
