package org.exomem.backend.template;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.exomem.images.Sha256;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.Manifest;
import org.exomem.linux.Errno;
import org.exomem.linux.FileStatus;
import org.exomem.linux.FileWriters;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;

/**
 * The files of a template at one moment: their identities and their change times. They show a change without reading the
 * files. Each write sets the time, even one to a mapping, and no program can set it back. Immutable.
 */
public final class TemplateFiles {
    private final ImageFolder image;
    private final List<One> files;

    private record One(Path path, String name, long device, long inode, FileTime changed) {}

    private TemplateFiles(ImageFolder image, List<One> files) {
        this.image = image;
        this.files = List.copyOf(files);
    }

    /**
     * Returns the present RAM files.
     *
     * @throws IOException if a file can't be examined
     */
    public static TemplateFiles of(ImageFolder image) throws IOException {
        List<One> files = new ArrayList<>();
        for (Manifest.Ram ram : image.manifest().ram()) {
            files.add(one(image.ram(ram.name()), ram.name().file()));
        }
        return new TemplateFiles(image, files);
    }

    private static One one(Path path, String name) throws IOException {
        FileStatus status = FileStatus.of(path);
        FileTime changed = (FileTime) Files.getAttribute(path, "unix:ctime");
        return new One(path, name, status.device(), status.inode(), changed);
    }

    /**
     * Checks that no process could write to the files now (IMG-CLONE-8).
     *
     * @throws ImageException {@link Fault#CHANGED} naming the file that a process has open for writing
     */
    public void expectNoWriter() throws IOException {
        for (Manifest.Ram ram : image.manifest().ram()) {
            try (SharedFile file = image.openRam(ram.name())) {
                if (FileWriters.any(file.fd())) {
                    throw new ImageException(
                            Fault.CHANGED,
                            image.ram(ram.name())
                                    + " is open for writing: a process may change the template (find it with \"fuser"
                                    + " -v\")");
                }
            }
        }
    }

    /** Returns what has changed since, or could change; for people. */
    public Optional<String> change() {
        try {
            for (One before : files) {
                One now = one(before.path, before.name);
                if (before.device != now.device || before.inode != now.inode) {
                    return Optional.of(before.path + " was replaced by another file");
                }
                if (!before.changed.equals(now.changed)) {
                    return Optional.of(before.path + " was written to, or its owner or permissions were changed");
                }
            }
            expectNoWriter();
            return Optional.empty();
        } catch (LinuxException e) {
            return e.errno() == Errno.ENOENT ? Optional.of("a file was removed: " + e.getMessage()) : Optional.empty();
        } catch (ImageException e) {
            return Optional.ofNullable(e.getMessage());
        } catch (IOException e) {
            // A file can't be examined now, which does not mean that it has changed.
            return Optional.empty();
        }
    }

    /** The files and times as text, to be kept. */
    String text() {
        StringBuilder text = new StringBuilder(
                "exomem checked 1\n" + Sha256.of(image.manifestBytes()).hex() + "\n");
        for (One file : files) {
            text.append(file.name)
                    .append(' ')
                    .append(file.device)
                    .append(' ')
                    .append(file.inode)
                    .append(' ')
                    .append(file.changed)
                    .append('\n');
        }
        return text.toString();
    }
}
