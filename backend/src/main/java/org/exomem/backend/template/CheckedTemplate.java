package org.exomem.backend.template;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.signature.CheckingKey;
import org.exomem.images.signature.ImageSignature;

/**
 * Checks a template before clones start from it (IMG-CLONE-2). The whole RAM is read only once: the result is written to a
 * file in the template's folder, with the change times of its files. Each write to a file changes its time.
 */
public final class CheckedTemplate {
    /** The file with the result and the times. */
    private static final String NOTE = "checked";

    private CheckedTemplate() {}

    /**
     * Checks that a template is unchanged, and who made it.
     *
     * @param trusted the key that it must be signed with; if empty, no signature is needed
     * @return true if its RAM was read for the check
     * @throws IOException naming what has changed; or if a process could change it now (IMG-CLONE-8), or it is not signed
     *     with that key
     */
    public static boolean check(ImageFolder image, Optional<CheckingKey> trusted) throws IOException {
        if (trusted.isPresent()) {
            ImageSignature.check(image, trusted.get());
        }
        TemplateFiles files = TemplateFiles.of(image);
        files.expectNoWriter();
        String now = files.text();
        Path note = image.folder().resolve(NOTE);
        if (now.equals(read(note))) {
            return false;
        }
        ImageSignature.checkRam(image);
        if (!TemplateFiles.of(image).text().equals(now)) {
            throw new IOException("the template in " + image.folder() + " is being changed");
        }
        write(note, now);
        return true;
    }

    /**
     * True if the files have changed since they were checked. False also if they were never checked.
     *
     * @throws IOException if a file can't be examined
     */
    public static boolean hasChanged(ImageFolder image) throws IOException {
        String found = read(image.folder().resolve(NOTE));
        return !found.isEmpty() && !found.equals(TemplateFiles.of(image).text());
    }

    private static String read(Path note) throws IOException {
        try {
            return Files.readString(note, StandardCharsets.UTF_8);
        } catch (NoSuchFileException e) {
            return "";
        }
    }

    /** A user who may not write there checks the RAM each time. */
    private static void write(Path note, String text) {
        try {
            Files.writeString(note, text, StandardCharsets.UTF_8);
        } catch (IOException e) {
            // The next start checks the RAM again.
        }
    }
}
