package org.exomem.images.ram;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.exomem.linux.Errno;
import org.exomem.linux.FileStatus;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.pages.ByteText;

/**
 * The RAM files of a folder: those of one VM, or none yet. Each call examines the folder again. Safe for use by several
 * threads. A file system that hangs blocks the caller.
 */
public final class RamFiles {
    private static final SecureRandom RANDOM = new SecureRandom();

    /** Whether memory or disk space for the whole file is allocated when it is made. */
    public enum Room {
        /** No: a page is allocated when the guest writes it, if there is space then. */
        ON_DEMAND,
        /** Yes, so that the guest never fails on a full host. */
        RESERVED
    }

    private final Path folder;

    private RamFiles(Path folder) {
        this.folder = folder;
    }

    /**
     * The RAM files of an existing folder.
     *
     * @throws ImageException {@link Fault#NO_IMAGE} if there is no such folder
     */
    public static RamFiles in(Path folder) throws ImageException {
        if (!Files.isDirectory(folder)) {
            throw new ImageException(
                    Fault.NO_IMAGE, "there is no folder " + folder + (Files.exists(folder) ? ": it is a file" : ""));
        }
        return new RamFiles(folder);
    }

    /**
     * As {@link #in}. Makes the last folder of the path if it is missing, with access for its owner only.
     *
     * @throws IOException if it can't be made
     */
    public static RamFiles made(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            try {
                Files.createDirectory(
                        folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            } catch (NoSuchFileException e) {
                Path above = folder.toAbsolutePath().getParent();
                throw new ImageException(
                        Fault.NO_IMAGE,
                        above != null && Files.isDirectory(above)
                                ? "can't create a folder in " + above
                                : "there is no folder " + above + ", and exomem creates only the last folder of a path",
                        e);
            }
        }
        return in(folder);
    }

    /** Where they are. */
    public Path folder() {
        return folder;
    }

    /**
     * The kind of the file system.
     *
     * @throws LinuxException if it can't be determined
     */
    public FileSystemKind fileSystem() throws LinuxException {
        return FileSystemKind.of(folder);
    }

    /** The path of a file, whether it exists or not. */
    public Path path(RamFileName name) {
        return folder.resolve(name.file());
    }

    /**
     * All RAM files of the folder ordered by offset, temporary ones last. Other files are ignored.
     *
     * @throws ImageException {@link Fault#FOREIGN} if something that is no regular file has such a name
     * @throws IOException if the folder can't be read
     */
    public List<RamFile> list() throws IOException {
        List<RamFile> found = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, RamFileName.PREFIX + "*")) {
            for (Path entry : entries) {
                Optional<RamFileName> name = RamFileName.parse(String.valueOf(entry.getFileName()));
                if (name.isPresent()) {
                    found.add(look(name.get()));
                }
            }
        } catch (NotDirectoryException | NoSuchFileException e) {
            throw new ImageException(Fault.NO_IMAGE, "there is no folder " + folder, e);
        }
        found.sort(Comparator.comparing((RamFile file) -> file.name().random().isPresent())
                .thenComparing(file -> file.name().offset())
                .thenComparing(file -> file.name().file()));
        return List.copyOf(found);
    }

    private RamFile look(RamFileName name) throws IOException {
        Path path = path(name);
        FileStatus status = FileStatus.of(path);
        if (!status.isRegularFile()) {
            throw new ImageException(Fault.FOREIGN, path + " is not a regular file, so it is not a RAM file");
        }
        return new RamFile(name, path, status);
    }

    /**
     * Makes the files of a VM, filled with zeros, with access for their owner only. Makes all of them, or none.
     *
     * @throws ImageException {@link Fault#EXISTS} if the folder has RAM files, these or others, which do not change; {@link
     *     Fault#NO_ROOM} if there is no space to reserve
     * @throws LinuxException if the file system refuses: EINVAL if a size is no multiple of its huge pages
     */
    public void create(List<RamFileName> names, Room room) throws IOException {
        for (RamFileName name : names) {
            if (Files.exists(path(name), LinkOption.NOFOLLOW_LINKS)) {
                throw exists(name);
            }
        }
        refuseOthers();
        List<RamFileName> made = new ArrayList<>();
        try {
            for (RamFileName name : names) {
                try (SharedFile file = SharedFile.create(path(name), name.size())) {
                    made.add(name);
                    checkPages(name, file);
                    if (room == Room.RESERVED) {
                        reserve(name, file);
                    }
                }
            }
        } catch (IOException | RuntimeException e) {
            for (RamFileName name : made) {
                Files.deleteIfExists(path(name));
            }
            if (e instanceof LinuxException failure && failure.errno() == Errno.EEXIST) {
                throw exists(names.get(made.size()));
            }
            throw e;
        }
    }

    /** The folder is for one VM: with other files beside them, no VM would have these. */
    private void refuseOthers() throws IOException {
        for (RamFile file : list()) {
            if (file.name().random().isEmpty()) {
                throw exists(file.name());
            }
        }
    }

    private void reserve(RamFileName name, SharedFile file) throws IOException {
        // A disk file system takes all the space that is left before it refuses, and programs of others fail meanwhile.
        FileStore store = Files.getFileStore(folder);
        boolean limited = store.getTotalSpace() > 0;
        if (limited && name.size() > store.getUnallocatedSpace()) {
            throw new ImageException(Fault.NO_ROOM, noRoom(name));
        }
        try {
            file.allocate(0, name.size());
        } catch (LinuxException e) {
            throw e.errno() == Errno.ENOSPC ? new ImageException(Fault.NO_ROOM, noRoom(name), e) : e;
        }
    }

    private String noRoom(RamFileName name) throws IOException {
        return "not enough space for " + ByteText.of(name.size()) + " in " + folder + ": its file system has "
                + ByteText.of(Files.getFileStore(folder).getUsableSpace()) + " left";
    }

    private ImageException exists(RamFileName name) {
        return new ImageException(Fault.EXISTS, path(name) + " already exists; \"exomem ram remove\" removes it");
    }

    private static void checkPages(RamFileName name, SharedFile file) throws ImageException {
        if (name.size() % file.pageSize() != 0) {
            throw new ImageException(
                    Fault.MISMATCH,
                    "\"" + name.name() + "\" can't have " + ByteText.exactly(name.size())
                            + " here: the size must be a multiple of the page size of the file system, "
                            + ByteText.of(file.pageSize()));
        }
    }

    /**
     * Makes a file with a unique name, and removes the name again: the memory lives as long as a process has the file open
     * or mapped.
     *
     * @param name the part of RAM
     * @return the open file; the caller closes it
     * @throws LinuxException if the file system refuses
     */
    public SharedFile temporary(RamFileName name, Room room) throws IOException {
        Path path = path(name.temporary(RANDOM));
        SharedFile file = SharedFile.create(path, name.size());
        try {
            checkPages(name, file);
            if (room == Room.RESERVED) {
                file.allocate(0, name.size());
            }
            return file;
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        } finally {
            Files.deleteIfExists(path);
        }
    }

    /**
     * Checks that the folder has the RAM files of a VM, and no others.
     *
     * @param names all of the VM's files
     * @return the files, in the same order
     * @throws ImageException {@link Fault#MISSING}, {@link Fault#SIZE}, {@link Fault#FOREIGN} or {@link Fault#MISMATCH}; the
     *     message says what differs
     */
    public List<RamFile> check(List<RamFileName> names) throws IOException {
        List<RamFile> there = list();
        List<RamFile> found = new ArrayList<>();
        for (RamFileName name : names) {
            RamFile file = there.stream()
                    .filter(candidate -> candidate.name().equals(name))
                    .findFirst()
                    .orElseThrow(() -> missing(name, there));
            checkSize(file);
            found.add(file);
        }
        for (RamFile file : there) {
            if (file.name().random().isEmpty() && !names.contains(file.name())) {
                throw new ImageException(
                        Fault.MISMATCH,
                        folder + " has a RAM file that the VM does not have: " + file.name() + " ("
                                + describe(file.name()) + ")");
            }
        }
        return List.copyOf(found);
    }

    private ImageException missing(RamFileName name, List<RamFile> there) {
        return there.stream()
                .map(RamFile::name)
                .filter(other ->
                        other.name().equals(name.name()) && other.random().isEmpty())
                .findFirst()
                .map(other -> new ImageException(
                        Fault.MISMATCH,
                        folder + " has \"" + name.name() + "\" with " + describe(other) + ", expected was one with "
                                + describe(name)))
                .orElseGet(() -> new ImageException(
                        Fault.MISSING,
                        "there is no RAM file " + path(name)
                                + (there.isEmpty()
                                        ? "; the folder has no RAM files"
                                        : "; the folder has "
                                                + String.join(
                                                        ", ",
                                                        there.stream()
                                                                .map(file -> file.name()
                                                                        .file())
                                                                .toList()))));
    }

    private static String describe(RamFileName name) {
        return ByteText.exactly(name.size()) + " at offset " + ByteText.exactly(name.offset());
    }

    private static void checkSize(RamFile file) throws ImageException {
        if (file.status().size() != file.name().size()) {
            throw new ImageException(
                    Fault.SIZE,
                    file.path() + " has " + ByteText.exactly(file.status().size()) + ", but its name states "
                            + ByteText.exactly(file.name().size()) + ": it was "
                            + (file.status().size() < file.name().size() ? "truncated" : "extended"));
        }
    }

    /**
     * Checks that the folder has RAM files, and that they can be all files of one VM: each has the size in its name, and
     * there is neither an overlap nor a gap.
     *
     * @return the files ordered by offset
     * @throws ImageException saying what is wrong
     */
    public List<RamFile> check() throws IOException {
        List<RamFile> there =
                list().stream().filter(file -> file.name().random().isEmpty()).toList();
        if (there.isEmpty()) {
            throw new ImageException(Fault.MISSING, "there is no RAM file in " + folder);
        }
        long end = 0;
        for (RamFile file : there) {
            checkSize(file);
            if (file.name().offset() != end) {
                throw new ImageException(
                        Fault.MISMATCH,
                        file.path() + " begins at offset "
                                + ByteText.exactly(file.name().offset())
                                + ", but the RAM before it ends at " + ByteText.exactly(end)
                                + ": the files do not belong to one VM, or a file is missing");
            }
            end = file.name().end();
        }
        return there;
    }

    /**
     * Opens a file of a VM for reading and writing, as a VMM does for a shared mapping.
     *
     * @return the open file; the caller closes it
     * @throws ImageException if it does not exist, or does not match its name
     */
    public SharedFile open(RamFileName name) throws IOException {
        return opened(name, SharedFile::open);
    }

    /** As {@link #open}, for reading only, as for a private mapping. */
    public SharedFile openForReading(RamFileName name) throws IOException {
        return opened(name, SharedFile::openForReading);
    }

    private interface Opening {
        SharedFile open(Path path) throws LinuxException;
    }

    private SharedFile opened(RamFileName name, Opening opening) throws IOException {
        RamFile seen;
        SharedFile file;
        try {
            seen = look(name);
            file = opening.open(seen.path());
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                throw missing(name, list());
            }
            throw e;
        }
        try {
            RamFile opened = new RamFile(name, seen.path(), file.status());
            if (!opened.status().isSameFileAs(seen.status())) {
                throw new ImageException(Fault.CHANGED, seen.path() + " was replaced while it was opened");
            }
            checkSize(opened);
            return file;
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /**
     * Removes a file; false if it did not exist. Processes that have it open or mapped keep it.
     *
     * @throws IOException if the file system refuses
     */
    public boolean remove(RamFileName name) throws IOException {
        return Files.deleteIfExists(path(name));
    }
}
