package org.exomem.backend.migrate;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** A folder for the state that a VMM writes or reads as a file; for its owner only, as a guest's secrets are in it. */
final class StateFolder {
    /** What the state of a VMM's own devices is called, there and in the stream. */
    static final String VMM = "vmm";

    private StateFolder() {}

    static Path make() throws IOException {
        return Files.createTempDirectory("exomem-migration");
    }

    static void remove(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.deleteIfExists(file);
            }
            Files.deleteIfExists(folder);
        } catch (IOException e) {
            // In the folder for temporary files; the host removes it in time.
        }
    }
}
