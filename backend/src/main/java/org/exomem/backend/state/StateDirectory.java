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
 * Where the devices of all VMs keep their state: {@code VM.balloon.state} and {@code VM.ID.mem.state}. Nothing of
 * these is ever removed; a VM's state goes when the operator removes its files. {@code VM.pager.json} is there as long as the VM's memory
 * comes on demand, {@code VM.arrival.json} as long as it comes from another host after its guest.
 *
 * <p>Each call looks at the directory, and makes it if it is missing. So each takes as long as the file system does, which may be for
 * good: not on an event loop, and not under a monitor that one takes.
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
     * The state of a VM's balloon.
     *
     * @param hostFault is told, on the thread that uses the balloon, if there is no room for more state
     * @throws StateFileException if there is one that can't be used: in use, damaged, or another device's; or if the file
     *     system refuses
     */
    public BalloonStateFile balloon(String vm, Consumer<String> hostFault) throws IOException {
        return BalloonStateFile.open(file(name(vm) + ".balloon.state"), vm, hostFault);
    }

    /**
     * The state of one of a VM's memory devices.
     *
     * @throws StateFileException if there is one that can't be used: in use, damaged, or of another device, or one with
     *     another address, size, block size or node
     * @throws IOException if the file system refuses
     */
    public MemoryStateFile memory(String vm, String device, MemoryRegionPlan plan) throws IOException {
        return MemoryStateFile.open(file(name(vm) + "." + name(device) + ".mem.state"), vm, device, plan);
    }

    /**
     * Where it is kept that a VM's memory comes on demand.
     *
     * @throws IOException if the directory can't be used
     */
    public Path pager(String vm) throws IOException {
        return file(name(vm) + PAGER);
    }

    /**
     * All files of {@link #pager} that are there.
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
     * Makes the directory if it is missing, and sees to it that only this process's user can look into it and change it:
     * what is in it says what a guest's memory is (STA-DIR-1, STA-DIR-2). Folders above it are not made, as a slip of the
     * pen would look like a VM without state.
     *
     * @throws StateFileException if it can't be made, is no directory, or another user's; a symbolic link is none
     */
    void prepare() throws IOException {
        if (!Files.exists(path) && path.toAbsolutePath().getParent() instanceof Path above && !Files.exists(above)) {
            throw StateFileException.ofDirectory(
                    path, "there is no folder " + above + ", and only the last folder of the path is made");
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
     * What to tell of where it is, as parts of its files are mapped; made if it is missing.
     *
     * @throws IOException if it can't be used
     */
    public Optional<String> warning() throws IOException {
        prepare();
        return FileSystemKind.of(path).warningIfMapped("the folder for state " + path);
    }

    private void check() throws IOException {
        if (Files.isSymbolicLink(path)) {
            throw StateFileException.ofDirectory(
                    path, "it is a symbolic link, whose owner could have it name another directory. Name that itself");
        }
        if (!Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
            throw StateFileException.ofDirectory(path, "it is no directory");
        }
        Object owner = Files.getAttribute(path, UID, LinkOption.NOFOLLOW_LINKS);
        if (!owner.equals(Files.getAttribute(Path.of("/proc/self"), UID))) {
            throw StateFileException.ofDirectory(
                    path,
                    "it belongs to another user (" + Files.getOwner(path, LinkOption.NOFOLLOW_LINKS)
                            + "), who could change what is in it. Use a directory of this user, or change its owner");
        }
        PosixFileAttributeView view =
                Files.getFileAttributeView(path, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
        Set<PosixFilePermission> mode = view.readAttributes().permissions();
        if (!OWNER.containsAll(mode)) {
            view.setPermissions(OWNER);
            LOG.warn(
                    "state directory {} was open to other users ({}); from now on it is open to its owner only",
                    path,
                    PosixFilePermissions.toString(mode));
        }
    }

    /**
     * Removes the files that processes have left here which were killed while they made them (STA-DIR-3). Files that another process is
     * making stay. To be called before the state of any device is opened.
     *
     * @throws IOException if the directory can't be used
     */
    public void removeUnfinished() throws IOException {
        prepare();
        StateFile.removeUnfinished(path);
    }

    /** A name as a part of a file's name: whatever could lead elsewhere, or end the part, as in a URI. */
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
