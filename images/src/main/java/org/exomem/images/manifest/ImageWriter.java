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
 * Makes an image of a folder. Its caller puts the RAM files there, or they are there already because the VM runs on them; then the VMM
 * writes the state of its devices to {@link #state}; then {@link #finish} makes it an image. Whenever this process or the host ends before
 * that, the folder holds no image, and after it a whole one.
 */
public final class ImageWriter {
    private static final String UNFINISHED = "manifest.json.new";

    /** What {@link #finish} has just done. Tests end the process there, or fail. */
    enum Step {
        OLD_IMAGE_IS_GONE,
        RAM_IS_ON_DISK,
        STATE_IS_ON_DISK,
        MANIFEST_IS_WRITTEN,
        MANIFEST_IS_ON_DISK,
        MANIFEST_IS_IN_PLACE,
        IMAGE_IS_ON_DISK
    }

    /** Is told of each step. */
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
     * Begins an image. A folder that is not there is made, for its owner only; only the last folder of the path is made. What a taken image,
     * or a save that was broken off, has left there is removed, all but RAM files.
     *
     * @throws ImageException {@link Fault#EXISTS} if the folder holds an image, or one that is being taken; {@link Fault#MISMATCH} if it is on hugetlbfs; nothing is
     *     changed then
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
                    folder + " is on hugetlbfs, where only memory can be: an image has other files too. Name a folder"
                            + " elsewhere");
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

    /** All but the manifest and RAM files. */
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
     * Removes what was made for an image that will not be, also when {@link #finish} has failed at its end (IMG-SAVE-2): the manifest first, so
     * that there is never one without its files, and the folder last, if it was made for this and nobody has put anything else there.
     *
     * @param ram RAM files that were made for it; none that a VM runs on
     * @param because gets what can't be removed
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

    /** Where a RAM file belongs. */
    public Path ram(RamFileName name) {
        return folder.resolve(name.file());
    }

    /** Where the state of the VMM's devices belongs. */
    public Path state() {
        return folder.resolve(ImageFolder.STATE);
    }

    /**
     * What is known of a VM before its files are looked at; {@link Manifest} explains.
     *
     * @param ram the names of its RAM files, by their offsets
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

    /** Gives a RAM file the digest that its manifest shall have; nothing if it shall have none. */
    public interface Digests {
        Optional<Sha256> of(RamFile file) throws IOException;

        /** For images whose RAM files have none. */
        Digests NONE = file -> Optional.empty();
    }

    /** Puts something beside a manifest before that is there, such as its signature, and returns when it is on disk. */
    public interface Seal {
        void seal(Path folder, byte[] manifest) throws IOException;

        /** For images that have nothing beside their manifest. */
        Seal NONE = (folder, manifest) -> {};
    }

    /** The same as {@link #finish(Description, Digests, Seal)}, with nothing beside the manifest. */
    public ImageFolder finish(Description description, Digests digests) throws IOException {
        return finish(description, digests, Seal.NONE);
    }

    /**
     * Makes it an image: RAM files and state are written to disk, then the manifest in one step. Takes as long as the disk takes for what
     * of the RAM it does not have yet. Nothing may write to the files meanwhile.
     *
     * @return the image
     * @throws ImageException if the files don't fit what was said; there is no image then
     * @throws IllegalArgumentException if what is described is no VM that can be saved, see {@link Manifest}
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
        // The names of the RAM files and of the state must be there before the one that makes them an image.
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
            // At once: the guest goes on, maybe on these RAM files.
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
