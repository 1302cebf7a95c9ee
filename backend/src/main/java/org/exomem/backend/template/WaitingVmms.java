package org.exomem.backend.template;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.TreeMap;
import org.exomem.backend.qmp.Json;
import org.exomem.images.Sha256;
import org.exomem.images.manifest.ImageFolder;

/**
 * VMMs that have been started for a template's clones and wait. Each has a file in its folder that says so; whoever removes that has
 * the VMM. Safe for use by several threads and processes.
 *
 * <pre>
 * mark    of what the VMM was started with
 * path    of its QMP socket
 * </pre>
 *
 * @param template whose clones they are to be
 * @param image of that name now: one that has been replaced since is another template
 * @param options with which they are started: those with others are left (IMG-CLONE-12)
 */
record WaitingVmms(String template, ImageFolder image, CloneOptions options) {
    private static final String FILE = "waiting";
    private static final int LINES = 2;

    /**
     * One that waits.
     *
     * @param name of its folder
     * @param qmp the socket on which it listens for QMP
     */
    record Waiting(String name, Path qmp) {}

    /** One waits. */
    void add(Waiting one) throws IOException {
        Files.writeString(
                options.folder().resolve(one.name()).resolve(FILE),
                mark() + "\n" + one.qmp() + "\n",
                StandardCharsets.UTF_8);
    }

    /** The same for the same template and the same options of the VMM only. */
    private String mark() {
        ObjectNode all =
                Json.object().put("template", Sha256.of(image.manifestBytes()).hex());
        options.program()
                .ifPresent(
                        program -> all.put("program", program.toAbsolutePath().toString()));
        ObjectNode replacements = all.putObject("replacements");
        new TreeMap<>(options.replacements()).forEach(replacements::put);
        return Sha256.of(Json.line(all)).hex();
    }

    /** Takes one that waits; nobody else gets it. Empty if none does. */
    Optional<Waiting> take() throws IOException {
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(options.folder(), template + "-*")) {
            for (Path one : folders) {
                Optional<Path> qmp = take(one.resolve(FILE));
                if (qmp.isPresent()) {
                    return Optional.of(new Waiting(String.valueOf(one.getFileName()), qmp.get()));
                }
            }
        }
        return Optional.empty();
    }

    private Optional<Path> take(Path file) throws IOException {
        try {
            String text = Files.readString(file, StandardCharsets.UTF_8);
            String[] lines = text.split("\n");
            // One that is just being written has no end yet.
            if (lines.length != LINES || !text.endsWith("\n") || !lines[0].equals(mark())) {
                return Optional.empty();
            }
            Files.delete(file);
            return Optional.of(Path.of(lines[1]));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }
}
