package org.exomem.images.manifest;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Writes cached data to disk, and returns when that is done. */
final class Durable {
    private Durable() {}

    /** The content and size of a file. */
    static void file(Path file) throws IOException {
        // Linux writes all pages of the file, no matter which process and descriptor wrote them.
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    /** The names in a folder. */
    static void folder(Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
