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
 * A folder with a saved VM that is there whole: its manifest was read, and the files that belong to it have the sizes that it says, and the
 * state of the VMM's devices the digest.
 *
 * <pre>
 * manifest.sig              its signature; only of images that are signed
 * manifest.json             what belongs to it; written last, so that an image without one is not there
 * vmm.state                 the state of the VMM's devices
 * exomem.OFFSET+SIZE.NAME   RAM, one file for each memory back-end
 * </pre>
 *
 * @param folder where it is
 * @param manifest what it says
 * @param manifestBytes the same as it stands in the file, which is what is signed
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record ImageFolder(Path folder, Manifest manifest, byte[] manifestBytes) {
    /** The manifest's file. */
    public static final String MANIFEST = "manifest.json";

    /** The file with the state of the VMM's devices. */
    public static final String STATE = "vmm.state";

    /** The signature of the manifest, if the image is signed. */
    public static final String SIGNATURE = "manifest.sig";

    /** The names of files with the digests of a RAM file begin so; what follows is as in the name of that. */
    public static final String DIGESTS_PREFIX = "digests.";

    /**
     * Opens an image, and checks that everything is there and fits. The content of RAM files is not read. One that was taken by a process
     * which has ended before the guest ran is an image like any other.
     *
     * @throws ImageException saying what is wrong with which file
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

    /** Returns nothing if it is not there. */
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
            throw new ImageException(Fault.FOREIGN, file + " is no manifest: " + e.getMessage(), e);
        }
    }

    /** Why there is no image, for people. */
    static String none(Path folder) {
        if (!Files.isDirectory(folder)) {
            return "there is no folder " + folder + (Files.exists(folder) ? ": it is a file" : "");
        }
        if (Files.exists(folder.resolve(TakenImage.USED))) {
            return "the image in " + folder
                    + " was taken: a VM has run on its RAM files since, so that they no longer go with the state"
                    + " beside them";
        }
        return "there is no saved VM in " + folder + ": it has no " + MANIFEST
                + (Files.exists(folder.resolve(STATE)) ? "; a save was broken off" : "");
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
            throw new ImageException(Fault.FOREIGN, file + " is no regular file");
        }
        if (status.size() != manifest.state().size()) {
            throw new ImageException(
                    Fault.SIZE,
                    file + " has " + status.size() + " bytes, the manifest says "
                            + manifest.state().size());
        }
        if (!Sha256.of(file).equals(manifest.state().digest())) {
            throw new ImageException(
                    Fault.CHANGED, file + " has changed: its SHA-256 digest is not the one in the manifest");
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

    /** Opens a RAM file for reading only; the caller closes it. */
    public SharedFile openRam(RamFileName name) throws IOException {
        return RamFiles.in(folder).openForReading(name);
    }

    /**
     * Takes the image, so that a VM may run on its RAM files: from the moment at which it does there is no image in the folder, as the state no
     * longer goes with them. Of several who try, one does.
     *
     * @return to be closed when the guest runs, or will not
     * @throws ImageException {@link Fault#NO_IMAGE} if somebody else took it, or removed it
     */
    public TakenImage take() throws IOException {
        return TakenImage.take(folder);
    }

    /** The RAM files as the kernel's lists of mappings name them. */
    public List<String> ramNames() throws IOException {
        List<String> names = new ArrayList<>();
        for (Manifest.Ram ram : manifest.ram()) {
            try (SharedFile file = openRam(ram.name())) {
                names.add(MappedFiles.nameOf(file));
            }
        }
        return names;
    }

    /** True if a folder holds an image, or one that is being taken: neither its state nor its RAM files may go. */
    public static boolean isIn(Path folder) {
        // The first one once more: the image may be given back between both looks.
        return Stream.of(MANIFEST, TakenImage.STARTING, MANIFEST)
                .anyMatch(name -> Files.exists(folder.resolve(name), LinkOption.NOFOLLOW_LINKS));
    }

    /** Removes what makes an image of a folder. */
    public static void removeManifest(Path folder) throws IOException {
        Files.deleteIfExists(folder.resolve(MANIFEST));
        Files.deleteIfExists(folder.resolve(TakenImage.STARTING));
    }

    /** Removes what a taken image has left whose guest ran; does nothing where there is nothing. */
    static void removeUsed(Path folder) throws IOException {
        Files.deleteIfExists(folder.resolve(TakenImage.USED));
    }
}
