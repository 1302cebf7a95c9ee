package org.exomem.images.signature;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Base64;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.exomem.images.Sha256;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.ImageWriter;
import org.exomem.images.manifest.Manifest;
import org.exomem.images.ram.RamFile;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.linux.SmallFile;

/**
 * The signature of an image. It covers the manifest, which has the digests of all its files. It is in {@link
 * ImageFolder#SIGNATURE}, as text:
 *
 * <pre>
 * exomem image signature 1
 * key: FINGERPRINT
 * signature: BASE64
 * </pre>
 */
public final class ImageSignature {
    private static final int MOST_BYTES = 4096;
    private static final String FIRST_LINE = "exomem image signature ";
    private static final int VERSION = 1;
    private static final Pattern FORM = Pattern.compile(
            "exomem image signature ([0-9]{1,9})\n(?:key: ([0-9a-f]{64})\nsignature: ([A-Za-z0-9+/]{86}==)\n)?.*",
            Pattern.DOTALL);

    private ImageSignature() {}

    /** The prefix ensures that a signature of anything else is never that of a manifest. */
    private static byte[] message(byte[] manifest) {
        byte[] first = (FIRST_LINE + VERSION + "\n").getBytes(StandardCharsets.US_ASCII);
        return ByteBuffer.allocate(first.length + manifest.length)
                .put(first)
                .put(manifest)
                .array();
    }

    /** Computes the digests of each RAM file of a new image, and writes them beside it. */
    public static ImageWriter.Digests digests() {
        return ImageSignature::writeDigests;
    }

    private static Optional<Sha256> writeDigests(RamFile file) throws IOException {
        try (SharedFile open = SharedFile.openForReading(file.path())) {
            RamDigests digests = RamDigests.of(file.name(), open);
            Path folder = file.path().toAbsolutePath().getParent();
            digests.write(folder == null ? Path.of("") : folder);
            return Optional.of(digests.root());
        }
    }

    /** Signs a new image. */
    public static ImageWriter.Seal by(SigningKey key) {
        return (folder, manifest) -> write(folder, key, manifest);
    }

    private static void write(Path folder, SigningKey key, byte[] manifest) throws IOException {
        String text = FIRST_LINE + VERSION + "\nkey: " + key.check().fingerprint() + "\nsignature: "
                + Base64.getEncoder().encodeToString(key.sign(message(manifest))) + "\n";
        try (FileChannel channel = FileChannel.open(
                folder.resolve(ImageFolder.SIGNATURE),
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            channel.write(StandardCharsets.US_ASCII.encode(text));
            channel.force(true);
        }
    }

    /**
     * Checks the signer of an image, and that its manifest is unchanged. Then RAM files that match the digests of the
     * manifest are unchanged, see {@link #checkRam}.
     *
     * @throws ImageException {@link Fault#SIGNATURE} if it is not signed, or with another key; {@link Fault#CHANGED} if the
     *     manifest was changed since; {@link Fault#FOREIGN}, {@link Fault#NEWER} if the signature has an unknown format
     * @throws IOException if it can't be read
     */
    public static void check(ImageFolder image, CheckingKey key) throws IOException {
        Path file = image.folder().resolve(ImageFolder.SIGNATURE);
        Matcher form = FORM.matcher(read(file));
        if (!form.matches()) {
            throw new ImageException(Fault.FOREIGN, file + " is not a signature of an image");
        }
        int version = Integer.parseInt(form.group(1));
        if (version > VERSION) {
            throw new ImageException(
                    Fault.NEWER, file + " has version " + version + ", this exomem supports version " + VERSION);
        }
        if (form.group(2) == null || form.end(3) + 1 != form.end()) {
            throw new ImageException(Fault.FOREIGN, file + " is not a signature of an image");
        }
        if (!form.group(2).equals(key.fingerprint().hex())) {
            throw new ImageException(
                    Fault.SIGNATURE,
                    image.folder() + " was signed with another key, which has the fingerprint " + form.group(2)
                            + ", not " + key.fingerprint());
        }
        if (!key.accepts(message(image.manifestBytes()), Base64.getDecoder().decode(form.group(3)))) {
            throw new ImageException(
                    Fault.CHANGED,
                    image.folder().resolve(ImageFolder.MANIFEST)
                            + " was changed after it was signed, or its signature was");
        }
        for (Manifest.Ram ram : image.manifest().ram()) {
            if (ram.digest().isEmpty()) {
                throw new ImageException(
                        Fault.SIGNATURE,
                        image.folder() + " is signed, but has no digest of " + ram.name()
                                + ", so changes of that file can't be detected");
            }
        }
    }

    private static String read(Path file) throws IOException {
        try {
            return new String(SmallFile.read(file, MOST_BYTES).content(), StandardCharsets.ISO_8859_1);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                throw new ImageException(Fault.SIGNATURE, "the image is not signed: there is no " + file, e);
            }
            throw e;
        } catch (IOException e) {
            throw new ImageException(Fault.FOREIGN, file + " is not a signature of an image: " + e.getMessage(), e);
        }
    }

    /**
     * Reads the digests of a RAM file's ranges, to check parts of it. Does not read the RAM file.
     *
     * @throws ImageException if they are missing, or do not match the manifest
     */
    public static RamDigests digestsOf(ImageFolder image, Manifest.Ram ram) throws IOException {
        return RamDigests.read(
                image.folder(),
                ram.name(),
                ram.digest()
                        .orElseThrow(() -> new ImageException(
                                Fault.MISSING,
                                "the manifest in " + image.folder() + " has no digest of " + ram.name())));
    }

    /**
     * Reads all RAM files, and checks that they are unchanged.
     *
     * @throws ImageException {@link Fault#CHANGED} naming file and range; {@link Fault#MISMATCH} if it has the content of
     *     another RAM file of the image; {@link Fault#MISSING} if there are no digests
     */
    public static void checkRam(ImageFolder image) throws IOException {
        for (Manifest.Ram ram : image.manifest().ram()) {
            RamDigests digests = digestsOf(image, ram);
            try (SharedFile file = image.openRam(ram.name())) {
                digests.check(file, image.ram(ram.name()));
            } catch (ImageException e) {
                throw swapped(image, ram, e);
            }
        }
    }

    private static ImageException swapped(ImageFolder image, Manifest.Ram ram, ImageException otherwise)
            throws IOException {
        for (Manifest.Ram other : image.manifest().ram()) {
            if (other != ram && other.name().size() == ram.name().size()) {
                try (SharedFile file = image.openRam(ram.name())) {
                    digestsOf(image, other).check(file, image.ram(ram.name()));
                    return new ImageException(
                            Fault.MISMATCH,
                            image.ram(ram.name()) + " has the content of " + other.name() + ": the files were swapped",
                            otherwise);
                } catch (ImageException e) {
                    continue;
                }
            }
        }
        return otherwise;
    }
}
