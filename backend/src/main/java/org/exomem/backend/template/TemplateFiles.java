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
 * The files of a template at one moment, by which a change is noticed without reading them: which files they are, and when they were changed. A write
 * sets that time, also one to a mapping, and no program can set it back. Immutable.
 */
public final class TemplateFiles {
    private final ImageFolder image;
    private final List<One> files;

    private record One(Path path, String name, long device, long inode, FileTime changed) {}

    private TemplateFiles(ImageFolder image, List<One> files) {
        this.image = image;
        this.files = List.copyOf(files);
    }

    /** The RAM files as they are now. */
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
     * Makes sure that nobody could write to them just now (IMG-CLONE-8).
     *
     * @throws ImageException {@link Fault#CHANGED} naming the file that somebody has open for writing
     */
    public void expectNoWriter() throws IOException {
        for (Manifest.Ram ram : image.manifest().ram()) {
            try (SharedFile file = image.openRam(ram.name())) {
                if (FileWriters.any(file.fd())) {
                    throw new ImageException(
                            Fault.CHANGED,
                            image.ram(ram.name())
                                    + " is open for writing: a process may change the template (\"fuser -v\" names it)");
                }
            }
        }
    }

    /** What has changed since, or could; for people. */
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
            // It can't be looked at just now, which says nothing about a change.
            return Optional.empty();
        }
    }

    /** All of it, as text to be kept. */
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
