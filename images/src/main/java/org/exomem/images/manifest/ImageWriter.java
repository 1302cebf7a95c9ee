package org.exomem.images.manifest;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.exomem.images.Sha256;
import org.exomem.images.ram.FileSystemKind;
import org.exomem.images.ram.RamFile;
import org.exomem.images.ram.RamFileName;
import org.exomem.images.ram.RamFiles;

/**
 * Makes a folder an image. The caller puts the RAM files there, or they are there already because the VM runs on them. Then
 * the VMM writes the state of its devices to {@link #state}. Then {@link #finish} makes the folder an image. If this process
 * or the host ends before that, the folder has no image; after it, a complete one. For one thread.
 */
public final class ImageWriter {
    private static final String UNFINISHED = "manifest.json.new";

    /** The last step of {@link #finish}. Tests end the process there, or fail. */
    enum Step {
        OLD_IMAGE_IS_GONE,
        RAM_IS_ON_DISK,
        STATE_IS_ON_DISK,
        MANIFEST_IS_WRITTEN,
        MANIFEST_IS_ON_DISK,
        MANIFEST_IS_IN_PLACE,
        IMAGE_IS_ON_DISK
    }

    /** Called after each step. */
    interface Watch {
        void after(Step step);
    }

    private final Path folder;
    private final boolean made;
    private final Watch watch;

    private ImageWriter(Path folder, boolean made, Watch watch) {
        this.folder = folder;
        this.made = made;
        this.watch = watch;
    }

    /**
     * Begins an image. The last folder of the path is made if it is missing, with access for its owner only. Remains of a
     * taken image, or of a save that was interrupted, are removed, except RAM files.
     *
     * @throws ImageException {@link Fault#EXISTS} if the folder has an image, or one that is being taken; {@link
     *     Fault#MISMATCH} if it is on hugetlbfs; nothing has changed then
     * @throws IOException if the folder can't be made
     */
    public static ImageWriter begin(Path folder) throws IOException {
        return begin(folder, step -> {});
    }

    static ImageWriter begin(Path folder, Watch watch) throws IOException {
        boolean made = !Files.exists(folder);
        if (RamFiles.made(folder).fileSystem() == FileSystemKind.HUGETLBFS) {
            if (made) {
                Files.delete(folder);
            }
            throw new ImageException(
                    Fault.MISMATCH,
                    folder
                            + " is on hugetlbfs, which can't hold the other files of an image. Name a folder on"
                            + " another file system");
        }
        if (ImageFolder.isIn(folder)) {
            throw new ImageException(
                    Fault.EXISTS, folder + " holds a saved VM already; remove that folder, or name another one");
        }
        ImageFolder.removeUsed(folder);
        ImageWriter writer = new ImageWriter(folder, made, watch);
        writer.removeSmallFiles();
        watch.after(Step.OLD_IMAGE_IS_GONE);
        return writer;
    }

    /** Removes all files except the manifest and RAM files. */
    private void removeSmallFiles() throws IOException {
        Files.deleteIfExists(folder.resolve(UNFINISHED));
        Files.deleteIfExists(folder.resolve(ImageFolder.SIGNATURE));
        try (DirectoryStream<Path> digests = Files.newDirectoryStream(folder, ImageFolder.DIGESTS_PREFIX + "*")) {
            for (Path file : digests) {
                Files.deleteIfExists(file);
            }
        }
        Files.deleteIfExists(state());
    }

    /**
     * Removes what was made for an image that is given up, also after {@link #finish} has failed at its end (IMG-SAVE-2).
     * The manifest goes first, so that there is never a manifest without its files. The folder goes last, if it was made for
     * this image and is empty.
     *
     * @param ram RAM files that were made for it; none that a VM runs on
     * @param because receives failures as suppressed exceptions
     */
    public void abandon(List<RamFileName> ram, Throwable because) {
        try {
            Files.deleteIfExists(folder.resolve(ImageFolder.MANIFEST));
            removeSmallFiles();
            for (RamFileName name : ram) {
                Files.deleteIfExists(ram(name));
            }
            if (made) {
                Files.delete(folder);
            }
        } catch (IOException e) {
            because.addSuppressed(e);
        }
    }

    /** The folder. */
    public Path folder() {
        return folder;
    }

    /** The path of a RAM file. */
    public Path ram(RamFileName name) {
        return folder.resolve(name.file());
    }

    /** The path of the state of the VMM's devices. */
    public Path state() {
        return folder.resolve(ImageFolder.STATE);
    }

    /**
     * The description of a VM, without its files; see {@link Manifest}.
     *
     * @param ram the names of its RAM files, ordered by offset
     */
    public record Description(
            String exomem,
            String vm,
            Instant saved,
            boolean running,
            Manifest.Vmm vmm,
            List<RamFileName> ram,
            Optional<String> devices) {
        public Description {
            ram = List.copyOf(ram);
        }
    }

    /** Returns the digest of a RAM file for the manifest; empty for none. */
    public interface Digests {
        Optional<Sha256> of(RamFile file) throws IOException;

        /** For images without digests of RAM files. */
        Digests NONE = file -> Optional.empty();
    }

    /** Writes something beside a manifest before it exists, such as its signature. Returns when it is on disk. */
    public interface Seal {
        void seal(Path folder, byte[] manifest) throws IOException;

        /** For images with nothing beside their manifest. */
        Seal NONE = (folder, manifest) -> {};
    }

    /** As {@link #finish(Description, Digests, Seal)}, with nothing beside the manifest. */
    public ImageFolder finish(Description description, Digests digests) throws IOException {
        return finish(description, digests, Seal.NONE);
    }

    /**
     * Makes the folder an image: writes RAM files and state to disk, and then the manifest atomically. Takes as long as the
     * disk needs for the RAM that it does not have yet. No process may write to the files meanwhile.
     *
     * @return the image
     * @throws ImageException if the files don't fit the description; there is no image then
     * @throws IllegalArgumentException if such a VM can't be saved, see {@link Manifest}
     */
    public ImageFolder finish(Description description, Digests digests, Seal seal) throws IOException {
        List<Manifest.Ram> ram = new ArrayList<>();
        for (RamFile file : RamFiles.in(folder).check(description.ram)) {
            ram.add(new Manifest.Ram(file.name(), file.dataBytes(), digests.of(file)));
            Durable.file(file.path());
        }
        watch.after(Step.RAM_IS_ON_DISK);
        if (!Files.isRegularFile(state(), LinkOption.NOFOLLOW_LINKS)) {
            throw new ImageException(Fault.MISSING, "the VMM has not written its state to " + state());
        }
        Durable.file(state());
        Manifest manifest = new Manifest(
                description.exomem,
                description.vm,
                description.saved,
                description.running,
                description.vmm,
                ram,
                new Manifest.StateFile(Files.size(state()), Sha256.of(state())),
                description.devices);
        watch.after(Step.STATE_IS_ON_DISK);
        byte[] bytes = manifest.toBytes();
        if (bytes.length > Manifest.MOST_BYTES) {
            throw new IllegalArgumentException("the manifest would have more than " + Manifest.MOST_BYTES + " bytes");
        }
        seal.seal(folder, bytes);
        write(bytes);
        // The names of the RAM files and of the state must be on disk before that of the manifest.
        Durable.folder(folder);
        watch.after(Step.MANIFEST_IS_ON_DISK);
        putInPlace();
        watch.after(Step.IMAGE_IS_ON_DISK);
        return new ImageFolder(folder, manifest, bytes);
    }

    private void putInPlace() throws IOException {
        Path manifest = folder.resolve(ImageFolder.MANIFEST);
        Files.move(folder.resolve(UNFINISHED), manifest, StandardCopyOption.ATOMIC_MOVE);
        try {
            watch.after(Step.MANIFEST_IS_IN_PLACE);
            Durable.folder(folder);
        } catch (IOException | RuntimeException e) {
            // At once, because the guest goes on, maybe on these RAM files.
            Files.deleteIfExists(manifest);
            throw e;
        }
    }

    private void write(byte[] manifest) throws IOException {
        try (FileChannel channel = FileChannel.open(
                folder.resolve(UNFINISHED),
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            ByteBuffer bytes = ByteBuffer.wrap(manifest);
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            watch.after(Step.MANIFEST_IS_WRITTEN);
            channel.force(true);
        }
    }
}
