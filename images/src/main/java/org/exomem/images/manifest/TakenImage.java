package org.exomem.images.manifest;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.exomem.linux.process.MappedFiles;

/**
 * An image whose RAM files a VM will run on, for the process that starts its VMM. The name of its manifest shows, on disk,
 * whether the guest may have run (IMG-RESTORE-3, IMG-RESTORE-6). For one thread.
 *
 * <pre>
 * manifest.json ── take ──► manifest.json.starting ── useUp ──► manifest.json.taken
 *       ▲                             │                                  │
 *       └────────── giveBack ─────────┴──────────────────────────────────┘
 * </pre>
 *
 * <p>The manifest is locked until this is closed. The lock shows whether the process that took the image has ended. In that
 * case its guest has not run, and the image is complete as soon as no VMM has the RAM files open.
 */
public final class TakenImage implements AutoCloseable {
    /** The name of the manifest while the VMM starts; the guest has not run. */
    static final String STARTING = "manifest.json.starting";

    /** The name when the guest may have run. */
    static final String USED = "manifest.json.taken";

    private final Path folder;
    private final FileChannel locked;
    private String name;

    private TakenImage(Path folder, FileChannel locked, String name) {
        this.folder = folder;
        this.locked = locked;
        this.name = name;
    }

    /**
     * Takes an image, or one that was taken by a process that has ended before the guest ran.
     *
     * @throws ImageException {@link Fault#NO_IMAGE} if another process took it, or removed it
     */
    static TakenImage take(Path folder) throws IOException {
        for (String name : List.of(ImageFolder.MANIFEST, STARTING)) {
            FileChannel channel;
            try {
                channel = FileChannel.open(
                        folder.resolve(name),
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE,
                        LinkOption.NOFOLLOW_LINKS);
            } catch (NoSuchFileException e) {
                continue;
            }
            TakenImage taken = new TakenImage(folder, channel, name);
            try {
                taken.begin();
                return taken;
            } catch (IOException | RuntimeException e) {
                taken.close();
                throw e;
            }
        }
        throw new ImageException(Fault.NO_IMAGE, ImageFolder.none(folder));
    }

    private void begin() throws IOException {
        if (!isLocked(locked, false)) {
            throw isStarting(folder);
        }
        // The process that had the lock before may have renamed it, so that it can't be taken.
        if (!Files.exists(folder.resolve(name), LinkOption.NOFOLLOW_LINKS)) {
            throw new ImageException(Fault.NO_IMAGE, ImageFolder.none(folder));
        }
        if (!name.equals(STARTING)) {
            rename(STARTING);
        }
    }

    /**
     * The guest is about to run: from now on there is no image in the folder, even if the host ends.
     *
     * @throws IOException if the file system refuses
     */
    public void useUp() throws IOException {
        rename(USED);
    }

    /**
     * Gives the image back: no guest has run on its RAM files.
     *
     * @throws IOException if it does not exist any more
     */
    public void giveBack() throws IOException {
        rename(ImageFolder.MANIFEST);
    }

    private void rename(String to) throws IOException {
        try {
            Files.move(folder.resolve(name), folder.resolve(to), StandardCopyOption.ATOMIC_MOVE);
        } catch (NoSuchFileException e) {
            throw new ImageException(Fault.NO_IMAGE, ImageFolder.none(folder), e);
        } catch (AtomicMoveNotSupportedException e) {
            throw new IllegalStateException("a rename in one folder is atomic", e);
        }
        name = to;
        Durable.folder(folder);
    }

    /**
     * Unlocks the manifest. Call it when the guest runs, or the image was given back: before that, another process could
     * take it.
     */
    @Override
    public void close() throws IOException {
        locked.close();
    }

    /**
     * Checks that an image with the name {@link #STARTING} is complete.
     *
     * @throws ImageException {@link Fault#NO_IMAGE} if the process that has taken it, or a VMM that it has started, still
     *     runs
     */
    static void expectGivenUp(ImageFolder image) throws IOException {
        Path folder = image.folder();
        try (FileChannel channel = FileChannel.open(folder.resolve(STARTING), StandardOpenOption.READ)) {
            if (!isLocked(channel, true)) {
                throw isStarting(folder);
            }
        } catch (NoSuchFileException e) {
            throw isStarting(folder);
        }
        Optional<Integer> vmm = MappedFiles.ofAllThatMap(image.ramNames()).stream()
                .filter(mapper -> mapper.areas().stream().anyMatch(MappedFiles.Area::writable))
                .map(MappedFiles.Mapper::pid)
                .findFirst();
        if (vmm.isPresent()) {
            throw new ImageException(
                    Fault.NO_IMAGE,
                    "process " + vmm.get() + " has the RAM files in " + folder
                            + " open; the restore that started it was interrupted before the guest ran: end that"
                            + " process without letting its guest run, and this is an image again");
        }
    }

    private static ImageException isStarting(Path folder) {
        return new ImageException(
                Fault.NO_IMAGE,
                "the image in " + folder + " has just been taken: a VM is being started on its RAM files");
    }

    private static boolean isLocked(FileChannel channel, boolean shared) throws IOException {
        try {
            FileLock lock = channel.tryLock(0, Long.MAX_VALUE, shared);
            return lock != null;
        } catch (OverlappingFileLockException e) {
            return false;
        }
    }
}
