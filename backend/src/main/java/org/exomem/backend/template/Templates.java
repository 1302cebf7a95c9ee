package org.exomem.backend.template;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.exomem.images.ImageException;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.ram.RamFiles;

/** The folder in which templates are, each an image in a folder of its own. */
public record Templates(Path folder) {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

    /** Where they are if nobody says otherwise: the user's own folder for state. */
    public static Templates ofUser() {
        return new Templates(of(System.getenv(), System.getProperty("user.name")));
    }

    static Path of(Map<String, String> environment, String user) {
        String state = environment.getOrDefault("XDG_STATE_HOME", "");
        if (!state.isEmpty()) {
            return Path.of(state, "exomem", "templates");
        }
        String home = environment.getOrDefault("HOME", "");
        return user.equals("root") || home.isEmpty()
                ? Path.of("/var/lib/exomem/templates")
                : Path.of(home, ".local", "state", "exomem", "templates");
    }

    /**
     * Where a template is, or would be.
     *
     * @throws IllegalArgumentException if it can't be a template's name
     */
    public Path path(String name) {
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException(
                    "\"" + name
                            + "\" can't be the name of a template: it has 1 to 64 letters, digits and . _ -, and begins with a letter or digit");
        }
        return folder.resolve(name);
    }

    /**
     * Opens a template.
     *
     * @throws ImageException if there is no such template, or it is damaged
     */
    public ImageFolder open(String name) throws IOException {
        return ImageFolder.open(there(name));
    }

    /**
     * Where a template is; what is in its folder is not looked at.
     *
     * @throws ImageException if there is no such template
     */
    public Path there(String name) throws ImageException {
        Path path = path(name);
        if (!Files.isDirectory(path)) {
            throw new ImageException(
                    ImageException.Fault.NO_IMAGE,
                    "there is no template \"" + name + "\" in " + folder
                            + "; \"exomem template list\" shows those that are there");
        }
        return path;
    }

    /**
     * One that was found.
     *
     * @param image empty if it can't be used
     * @param fault why not
     */
    public record Found(String name, Optional<ImageFolder> image, Optional<String> fault) {}

    /** All templates, by their names. */
    public List<Found> list() throws IOException {
        List<Found> found = new ArrayList<>();
        if (!Files.isDirectory(folder)) {
            return found;
        }
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, Files::isDirectory)) {
            for (Path entry : entries) {
                String name = String.valueOf(entry.getFileName());
                try {
                    found.add(new Found(name, Optional.of(ImageFolder.open(entry)), Optional.empty()));
                } catch (ImageException e) {
                    found.add(new Found(name, Optional.empty(), Optional.ofNullable(e.getMessage())));
                }
            }
        }
        found.sort(Comparator.comparing(Found::name));
        return found;
    }

    /** Makes the folder, and those above it. */
    public void make() throws IOException {
        Files.createDirectories(folder);
    }

    /**
     * Makes the folder if that above it is there: one that somebody named may be mistyped.
     *
     * @throws ImageException if it is not
     */
    public void makeLast() throws IOException {
        RamFiles.made(folder);
    }

    /** Removes a template with all its files; the manifest first, so that nothing starts from what is half gone. */
    public void remove(String name) throws IOException {
        Path path = path(name);
        ImageFolder.removeManifest(path);
        try (Stream<Path> files = Files.list(path)) {
            for (Path file : files.toList()) {
                Files.deleteIfExists(file);
            }
        }
        Files.delete(path);
    }
}
