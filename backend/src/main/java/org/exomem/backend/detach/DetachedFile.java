package org.exomem.backend.detach;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.JsonException;
import org.exomem.linux.FileStatus;
import org.exomem.linux.SmallFile;

/**
 * The file that keeps a detached device. It is beside the socket on which VMM and exomem meet, as {@code SOCKET.detached}.
 * The process that serves the device next knows this path. The file is lost when the host restarts, as the VM is
 * (STA-DET-1).
 */
record DetachedFile(Path path) {
    private static final String SUFFIX = ".detached";
    private static final String UID = "unix:uid";
    private static final int ROOT = 0;
    /** In bytes. */
    private static final int MOST = 64 << 10;

    static DetachedFile of(Path socket) {
        return new DetachedFile(socket.resolveSibling(socket.getFileName() + SUFFIX));
    }

    /**
     * Replaces the file. It is there completely, or not at all.
     *
     * @throws IOException if the file system refuses
     */
    void write(DetachedDevice device) throws IOException {
        try {
            SmallFile.replace(path, (Json.pretty(device.toJson()) + "\n").getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new IOException("can't write what is needed to attach the device again to " + path + ": " + e, e);
        }
    }

    /**
     * Reads the file; empty if there is none.
     *
     * @throws IOException if it can't be used; the file stays
     */
    Optional<DetachedDevice> read() throws IOException {
        try {
            expectOurs();
            SmallFile file = SmallFile.read(path, MOST);
            if (!file.status().isSameFileAs(FileStatus.of(path))) {
                throw new IOException("it is a link, or was replaced just now");
            }
            return Optional.of(DetachedDevice.of(Json.parse(new String(file.content(), StandardCharsets.UTF_8))));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (JsonException e) {
            throw unusable("it is not JSON: " + e.getMessage(), e);
        } catch (IOException e) {
            throw unusable(String.valueOf(e.getMessage()), e);
        }
    }

    /** In a folder that all users may write, another user could make a VMM plug in any device (STA-DET-2). */
    private void expectOurs() throws IOException {
        Object owner = Files.getAttribute(path, UID, NOFOLLOW_LINKS);
        if (!owner.equals(Files.getAttribute(Path.of("/proc/self"), UID)) && !owner.equals(ROOT)) {
            throw new IOException("it belongs to another user");
        }
        if (!Files.isRegularFile(path, NOFOLLOW_LINKS)) {
            throw new IOException("it is not a regular file");
        }
    }

    private IOException unusable(String why, IOException cause) {
        return new IOException(path + " can't be used: " + why + ". exomem leaves the file unchanged", cause);
    }

    void delete() throws IOException {
        Files.deleteIfExists(path);
    }
}
