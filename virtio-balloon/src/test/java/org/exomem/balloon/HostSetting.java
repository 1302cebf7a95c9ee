package org.exomem.balloon;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A setting of the host kernel that a test changes for a while; restored at the end. */
final class HostSetting implements AutoCloseable {
    private final Path path;
    private final String before;

    private HostSetting(Path path, String before) {
        this.path = path;
        this.before = before;
    }

    /** Skips the test if the setting can't be written. */
    static HostSetting of(String path, String value, String purpose) throws IOException {
        Path file = Path.of(path);
        assumeTrue(Files.isWritable(file), "needs " + purpose + ": writing " + path + " as root");
        String before = Files.readString(file).strip();
        // If several values are possible, the present one is in brackets.
        if (before.contains("[")) {
            before = before.substring(before.indexOf('[') + 1, before.indexOf(']'));
        }
        HostSetting setting = new HostSetting(file, before);
        Files.writeString(file, value);
        return setting;
    }

    static long number(String path) throws IOException {
        return Long.parseLong(Files.readString(Path.of(path)).strip());
    }

    @Override
    public void close() throws IOException {
        Files.writeString(path, before);
    }
}
