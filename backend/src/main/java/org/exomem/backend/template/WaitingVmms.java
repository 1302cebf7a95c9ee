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
 * VMMs that were started for a template's clones and wait. Each has a file in its folder that says so. The process that
 * removes this file owns the VMM. Safe for use by several threads and processes.
 *
 * <pre>
 * mark    of what the VMM was started with
 * path    of its QMP socket
 * </pre>
 *
 * @param template the template's name
 * @param image the template of that name now; a template that was replaced is another one
 * @param options with which they are started; VMMs with other options are not used (IMG-CLONE-12)
 */
record WaitingVmms(String template, ImageFolder image, CloneOptions options) {
    private static final String FILE = "waiting";
    private static final int LINES = 2;

    /**
     * A VMM that waits.
     *
     * @param name of its folder
     * @param qmp the socket on which it listens for QMP
     */
    record Waiting(String name, Path qmp) {}

    /**
     * Notes that a VMM waits.
     *
     * @throws IOException if the file can't be written
     */
    void add(Waiting one) throws IOException {
        Files.writeString(
                options.folder().resolve(one.name()).resolve(FILE),
                mark() + "\n" + one.qmp() + "\n",
                StandardCharsets.UTF_8);
    }

    /** A digest of the template and of those options that concern the VMM. Equal only if they are equal. */
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

    /**
     * Takes a VMM that waits, so that no other caller gets it. Empty if none waits.
     *
     * @throws IOException if the folder can't be read
     */
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
            // A file that is still being written has no end yet.
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
