package org.exomem.backend.template;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import org.exomem.images.Sha256;
import org.exomem.images.manifest.ImageFolder;

/**
 * VMMs that have been started for a template's clones and wait. Each has a file in its folder that says so; whoever removes that has
 * the VMM. Safe for use by several threads and processes.
 *
 * @param folder in which clones have their folders
 * @param template whose clones they are to be
 * @param image of that name now: one that has been replaced since is another template
 */
record WaitingVmms(Path folder, String template, ImageFolder image) {
    private static final String FILE = "waiting";

    /** One waits. */
    void add(String name) throws IOException {
        Files.writeString(folder.resolve(name).resolve(FILE), mark(), StandardCharsets.US_ASCII);
    }

    private String mark() {
        return Sha256.of(image.manifestBytes()).hex() + "\n";
    }

    /** Takes one that waits; nobody else gets it. Empty if none does. */
    Optional<String> take() throws IOException {
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(folder, template + "-*")) {
            for (Path one : folders) {
                if (take(one.resolve(FILE))) {
                    return Optional.of(String.valueOf(one.getFileName()));
                }
            }
        }
        return Optional.empty();
    }

    private boolean take(Path file) throws IOException {
        try {
            if (!Files.readString(file, StandardCharsets.US_ASCII).equals(mark())) {
                return false;
            }
            Files.delete(file);
            return true;
        } catch (NoSuchFileException e) {
            return false;
        }
    }
}
