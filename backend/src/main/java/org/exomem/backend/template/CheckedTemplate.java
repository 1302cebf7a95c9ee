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
     * @throws IOException naming what has changed, that somebody could change it just now (IMG-CLONE-8), or that it is not signed with that key
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

    /** True if the files are not those any more that were found to be as they were made; false also where they were never checked. */
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

    /** Who may not write there checks anew each time. */
    private static void write(Path note, String text) {
        try {
            Files.writeString(note, text, StandardCharsets.UTF_8);
        } catch (IOException e) {
            // It is checked again the next time.
        }
    }
}
