package org.exomem.images.manifest;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.exomem.images.Sha256;
import org.exomem.images.ram.RamFileName;
import org.exomem.images.ram.RamFiles;
import org.exomem.linux.Errno;
import org.exomem.linux.FileStatus;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.linux.SmallFile;
import org.exomem.linux.process.MappedFiles;

/**
 * A folder with a complete saved VM: its manifest was read, its files have the sizes in the manifest, and the state of the
 * VMM's devices has the digest.
 *
 * <pre>
 * manifest.sig              its signature; only of images that are signed
 * manifest.json             what belongs to it; written last, so that an image without one is not there
 * vmm.state                 the state of the VMM's devices
 * exomem.OFFSET+SIZE.NAME   RAM, one file for each memory back-end
 * </pre>
 *
 * @param folder its path
 * @param manifest the parsed manifest
 * @param manifestBytes the bytes of the manifest's file, which are signed
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record ImageFolder(Path folder, Manifest manifest, byte[] manifestBytes) {
    /** The name of the manifest's file. */
    public static final String MANIFEST = "manifest.json";

    /** The name of the file with the state of the VMM's devices. */
    public static final String STATE = "vmm.state";

    /** The name of the signature's file, if the image is signed. */
    public static final String SIGNATURE = "manifest.sig";

    /** The prefix of the names of files with the digests of a RAM file. The rest is as in that file's name. */
    public static final String DIGESTS_PREFIX = "digests.";

    /**
     * Opens an image, and checks that it is complete and consistent. Does not read the content of RAM files. An image that
     * was taken by a process which ended before the guest ran counts as an image.
     *
     * @throws ImageException saying what is wrong with which file
     * @throws IOException if a file can't be read
     */
    public static ImageFolder open(Path folder) throws IOException {
        Optional<byte[]> whole = read(folder, MANIFEST);
        if (whole.isPresent()) {
            return of(folder, whole.get());
        }
        ImageFolder taken = of(
                folder,
                read(folder, TakenImage.STARTING).orElseThrow(() -> new ImageException(Fault.NO_IMAGE, none(folder))));
        TakenImage.expectGivenUp(taken);
        return taken;
    }

    private static ImageFolder of(Path folder, byte[] bytes) throws IOException {
        Manifest manifest;
        try {
            manifest = Manifest.of(bytes);
        } catch (ImageException e) {
            throw new ImageException(e.fault(), folder.resolve(MANIFEST) + " can't be used: " + e.getMessage(), e);
        }
        ImageFolder image = new ImageFolder(folder, manifest, bytes);
        image.checkRam();
        image.checkState();
        return image;
    }

    /** Empty if the file does not exist. */
    private static Optional<byte[]> read(Path folder, String name) throws IOException {
        Path file = folder.resolve(name);
        try {
            return Optional.of(SmallFile.read(file, Manifest.MOST_BYTES).content());
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                return Optional.empty();
            }
            throw e;
        } catch (IOException e) {
            throw new ImageException(Fault.FOREIGN, file + " is not a manifest: " + e.getMessage(), e);
        }
    }

    /** Why there is no image, for people. */
    static String none(Path folder) {
        if (!Files.isDirectory(folder)) {
            return "there is no folder " + folder + (Files.exists(folder) ? ": it is a file" : "");
        }
        if (Files.exists(folder.resolve(TakenImage.USED))) {
            return "the image in " + folder
                    + " was taken: a VM has run on its RAM files since, so they no longer match the saved state"
                    + " beside them";
        }
        return "there is no saved VM in " + folder + ": it has no " + MANIFEST
                + (Files.exists(folder.resolve(STATE)) ? "; a save was interrupted" : "");
    }

    private void checkRam() throws IOException {
        RamFiles files = RamFiles.in(folder);
        for (Manifest.Ram ram : manifest.ram()) {
            files.openForReading(ram.name()).close();
        }
    }

    private void checkState() throws IOException {
        Path file = state();
        FileStatus status;
        try {
            status = FileStatus.of(file);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                throw new ImageException(Fault.MISSING, "there is no " + file + ", which belongs to the saved VM", e);
            }
            throw e;
        }
        if (!status.isRegularFile()) {
            throw new ImageException(Fault.FOREIGN, file + " is not a regular file");
        }
        if (status.size() != manifest.state().size()) {
            throw new ImageException(
                    Fault.SIZE,
                    file + " has " + status.size() + " bytes, the manifest says "
                            + manifest.state().size());
        }
        if (!Sha256.of(file).equals(manifest.state().digest())) {
            throw new ImageException(
                    Fault.CHANGED, file + " has changed: its SHA-256 digest differs from the one in the manifest");
        }
    }

    /** The file with the state of the VMM's devices. */
    public Path state() {
        return folder.resolve(STATE);
    }

    /** A RAM file. */
    public Path ram(RamFileName name) {
        return folder.resolve(name.file());
    }

    /**
     * Opens a RAM file for reading only; the caller closes it.
     *
     * @throws ImageException if it does not exist, or does not match its name
     */
    public SharedFile openRam(RamFileName name) throws IOException {
        return RamFiles.in(folder).openForReading(name);
    }

    /**
     * Takes the image, so that a VM can run on its RAM files. From the moment when the VM runs, there is no image in the
     * folder, because the state does not fit the RAM any more. Of several processes that try, one succeeds.
     *
     * @return to be closed when the guest runs, or will not
     * @throws ImageException {@link Fault#NO_IMAGE} if another process took it, or removed it
     */
    public TakenImage take() throws IOException {
        return TakenImage.take(folder);
    }

    /**
     * The RAM files, named as in the kernel's lists of mappings.
     *
     * @throws IOException if a file can't be opened
     */
    public List<String> ramNames() throws IOException {
        List<String> names = new ArrayList<>();
        for (Manifest.Ram ram : manifest.ram()) {
            try (SharedFile file = openRam(ram.name())) {
                names.add(MappedFiles.nameOf(file));
            }
        }
        return names;
    }

    /** True if a folder has an image, or one that is being taken: neither its state nor its RAM files may be removed. */
    public static boolean isIn(Path folder) {
        // The manifest is checked again, because the image may be given back between both checks.
        return Stream.of(MANIFEST, TakenImage.STARTING, MANIFEST)
                .anyMatch(name -> Files.exists(folder.resolve(name), LinkOption.NOFOLLOW_LINKS));
    }

    /**
     * Removes the manifest, so that the folder has no image any more.
     *
     * @throws IOException if the file system refuses
     */
    public static void removeManifest(Path folder) throws IOException {
        Files.deleteIfExists(folder.resolve(MANIFEST));
        Files.deleteIfExists(folder.resolve(TakenImage.STARTING));
    }

    /** Removes the remains of a taken image whose guest ran, if there are any. */
    static void removeUsed(Path folder) throws IOException {
        Files.deleteIfExists(folder.resolve(TakenImage.USED));
    }
}
