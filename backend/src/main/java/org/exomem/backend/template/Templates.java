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

/** The folder of the templates. Each template is an image in a folder of its own. */
public record Templates(Path folder) {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

    /** The default: the user's own folder for state. */
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
     * Returns the path of a template, whether it exists or not.
     *
     * @throws IllegalArgumentException if it can't be a template's name
     */
    public Path path(String name) {
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException("\"" + name
                    + "\" is not a valid name of a template; use 1 to 64 letters, digits and . _ -, with a"
                    + " letter or digit first");
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
                            + "; \"exomem template list\" lists all templates");
        }
        return path;
    }

    /**
     * An entry of the list.
     *
     * @param image empty if it can't be used
     * @param fault why it can't be used
     */
    public record Found(String name, Optional<ImageFolder> image, Optional<String> fault) {}

    /**
     * All templates, ordered by name.
     *
     * @throws IOException if the folder can't be read
     */
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

    /**
     * Makes the folder, if it is missing.
     *
     * @throws IOException if it can't be made
     */
    public void make() throws IOException {
        Files.createDirectories(folder);
    }

    /**
     * Makes the folder if its parent exists: a path that a user gave may be mistyped.
     *
     * @throws ImageException if the parent does not exist
     */
    public void makeLast() throws IOException {
        RamFiles.made(folder);
    }

    /**
     * Removes a template with all its files. The manifest goes first, so that no clone starts from a template that is half
     * removed.
     *
     * @throws IOException if a file can't be removed
     */
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
