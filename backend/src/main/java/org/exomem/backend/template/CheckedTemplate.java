package org.exomem.backend.template;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Optional;
import org.exomem.images.Sha256;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.Manifest;
import org.exomem.images.signature.CheckingKey;
import org.exomem.images.signature.ImageSignature;
import org.exomem.linux.FileStatus;

/**
 * Checks a template before clones start from it (IMG-CLONE-2). All of its RAM is read only once: what was found is written down beside it with
 * the times of its files, which change with each write.
 */
public final class CheckedTemplate {
    /** What was found of which files. */
    private static final String NOTE = "checked";

    private CheckedTemplate() {}

    /**
     * Makes sure that a template is as it was made, and by whom.
     *
     * @param trusted the key that it has to be signed with; empty to do without
     * @return true if its RAM was read for that
     * @throws IOException naming what has changed, or that it is not signed with that key
     */
    public static boolean check(ImageFolder image, Optional<CheckingKey> trusted) throws IOException {
        if (trusted.isPresent()) {
            ImageSignature.check(image, trusted.get());
        }
        String now = files(image);
        Path note = image.folder().resolve(NOTE);
        if (now.equals(read(note))) {
            return false;
        }
        ImageSignature.checkRam(image);
        if (!files(image).equals(now)) {
            throw new IOException("the template in " + image.folder() + " is being changed");
        }
        write(note, now);
        return true;
    }

    private static String files(ImageFolder image) throws IOException {
        StringBuilder files = new StringBuilder(
                "exomem checked 1\n" + Sha256.of(image.manifestBytes()).hex() + "\n");
        for (Manifest.Ram ram : image.manifest().ram()) {
            Path path = image.ram(ram.name());
            FileStatus status = FileStatus.of(path);
            // A write sets the time of change, which no program can set back.
            FileTime changed = (FileTime) Files.getAttribute(path, "unix:ctime");
            files.append(ram.name().file())
                    .append(' ')
                    .append(status.device())
                    .append(' ')
                    .append(status.inode())
                    .append(' ')
                    .append(changed)
                    .append('\n');
        }
        return files.toString();
    }

    private static String read(Path note) throws IOException {
        try {
            return Files.readString(note, StandardCharsets.UTF_8);
        } catch (NoSuchFileException e) {
            return "";
        }
    }

    /** Who may not write there checks anew each time. */
    private static void write(Path note, String text) {
        try {
            Files.writeString(note, text, StandardCharsets.UTF_8);
        } catch (IOException e) {
            // It is checked again the next time.
        }
    }
}
