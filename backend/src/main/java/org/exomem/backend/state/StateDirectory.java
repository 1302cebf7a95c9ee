package org.exomem.backend.state;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.exomem.images.ram.FileSystemKind;
import org.exomem.mem.MemoryRegionPlan;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The directory in which the devices of all VMs keep their state, in {@code VM.balloon.state} and {@code VM.ID.mem.state}.
 * These files are never removed by exomem: the operator removes them. {@code VM.pager.json} exists while the VM's memory
 * comes on demand, {@code VM.arrival.json} while pages are owed to it by another host.
 *
 * <p>Each call checks the directory, and makes it if it is missing. So each call takes as long as the file system does,
 * which may be forever: do not call it on an event loop, nor under a monitor that an event loop takes.
 *
 * @param path the directory
 */
public record StateDirectory(Path path) implements ArrivalFiles {
    private static final Logger LOG = LoggerFactory.getLogger(StateDirectory.class);
    private static final Set<PosixFilePermission> OWNER = PosixFilePermissions.fromString("rwx------");
    private static final FileAttribute<?> OWNER_ONLY = PosixFilePermissions.asFileAttribute(OWNER);
    private static final String UID = "unix:uid";
    private static final String PAGER = ".pager.json";
    private static final String ARRIVAL = ".arrival.json";

    /**
     * Opens the state of a VM's balloon.
     *
     * @param hostFault receives a message, on the thread that uses the balloon, if there is no room for more state
     * @throws StateFileException if there is one that can't be used: it is in use, damaged, or another device's; or if the
     *     file system refuses
     */
    public BalloonStateFile balloon(String vm, Consumer<String> hostFault) throws IOException {
        return BalloonStateFile.open(file(name(vm) + ".balloon.state"), vm, hostFault);
    }

    /**
     * Opens the state of one of a VM's memory devices.
     *
     * @throws StateFileException if there is one that can't be used: it is in use, damaged, another device's, or has another
     *     address, size, block size or node
     * @throws IOException if the file system refuses
     */
    public MemoryStateFile memory(String vm, String device, MemoryRegionPlan plan) throws IOException {
        return MemoryStateFile.open(file(name(vm) + "." + name(device) + ".mem.state"), vm, device, plan);
    }

    /**
     * Returns the file that says that a VM's memory comes on demand, whether it exists or not.
     *
     * @throws IOException if the directory can't be used
     */
    public Path pager(String vm) throws IOException {
        return file(name(vm) + PAGER);
    }

    /**
     * Returns all files of {@link #pager} that exist.
     *
     * @throws IOException if the directory can't be used
     */
    public List<Path> pagers() throws IOException {
        return all(PAGER);
    }

    @Override
    public ReplacedFile arrival(String vm) throws IOException {
        return new ReplacedFile(file(name(vm) + ARRIVAL));
    }

    @Override
    public List<ReplacedFile> arrivals() throws IOException {
        return all(ARRIVAL).stream().map(ReplacedFile::new).toList();
    }

    private List<Path> all(String suffix) throws IOException {
        prepare();
        try (Stream<Path> files = Files.list(path)) {
            return files.filter(file -> {
                        String name = String.valueOf(file.getFileName());
                        return name.endsWith(suffix) && !name.startsWith(".");
                    })
                    .sorted()
                    .toList();
        }
    }

    private Path file(String name) throws IOException {
        prepare();
        return path.resolve(name);
    }

    /**
     * Makes the directory if it is missing, and gives access to this process's user only, because its files say what a
     * guest's memory is (STA-DIR-1, STA-DIR-2). Folders above it are not made, as a mistyped path would look like a VM
     * without state.
     *
     * @throws StateFileException if it can't be made, is no directory, is a symbolic link, or belongs to another user
     */
    void prepare() throws IOException {
        if (!Files.exists(path) && path.toAbsolutePath().getParent() instanceof Path above && !Files.exists(above)) {
            throw StateFileException.ofDirectory(
                    path, "there is no folder " + above + ", and exomem creates only the last folder of the path");
        }
        try {
            Files.createDirectory(path, OWNER_ONLY);
        } catch (FileAlreadyExistsException e) {
            check();
        } catch (IOException e) {
            throw StateFileException.ofDirectory(path, e);
        }
    }

    /**
     * Returns a warning if the file system is a risk for files that are mapped. Makes the directory if it is missing.
     *
     * @throws IOException if it can't be used
     */
    public Optional<String> warning() throws IOException {
        prepare();
        return FileSystemKind.of(path).warningIfMapped("the state directory " + path);
    }

    private void check() throws IOException {
        if (Files.isSymbolicLink(path)) {
            throw StateFileException.ofDirectory(
                    path,
                    "it is a symbolic link, whose owner could change its target. Use the path of the target itself");
        }
        if (!Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
            throw StateFileException.ofDirectory(path, "it is not a directory");
        }
        Object owner = Files.getAttribute(path, UID, LinkOption.NOFOLLOW_LINKS);
        if (!owner.equals(Files.getAttribute(Path.of("/proc/self"), UID))) {
            throw StateFileException.ofDirectory(
                    path,
                    "it belongs to another user (" + Files.getOwner(path, LinkOption.NOFOLLOW_LINKS)
                            + "), who could change its content. Use a directory of this user, or change its owner");
        }
        PosixFileAttributeView view =
                Files.getFileAttributeView(path, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
        Set<PosixFilePermission> mode = view.readAttributes().permissions();
        if (!OWNER.containsAll(mode)) {
            view.setPermissions(OWNER);
            LOG.warn(
                    "state directory {} was accessible to other users ({}); now only its owner has access",
                    path,
                    PosixFilePermissions.toString(mode));
        }
    }

    /**
     * Removes files that processes left here when they were killed while they made them (STA-DIR-3). Files that another
     * process is making stay. Call this before the state of any device is opened.
     *
     * @throws IOException if the directory can't be used
     */
    public void removeUnfinished() throws IOException {
        prepare();
        StateFile.removeUnfinished(path);
    }

    /**
     * Encodes a name as a part of a file's name. Characters that could lead elsewhere, or end the part, are escaped as in a
     * URI.
     */
    private static String name(String name) {
        StringBuilder safe = new StringBuilder();
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            boolean plain = Character.isLetterOrDigit(c) || c == '-' || c == '_';
            safe.append(plain ? String.valueOf(c) : String.format(Locale.ROOT, "%%%02X", (int) c));
        }
        return safe.toString();
    }
}
