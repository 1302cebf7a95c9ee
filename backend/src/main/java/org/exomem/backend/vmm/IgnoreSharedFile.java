package org.exomem.backend.vmm;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.exomem.backend.qmp.Json;
import org.exomem.linux.SmallFile;

/**
 * Tells the next exomem that a VMM leaves memory out of its transfers because this one told it to (VMM-22). It stands beside the socket of
 * one of the VM's devices, as {@code SOCKET.source-leaves-memory}: whoever serves the device next knows that place, also without a state
 * directory, and it is gone with the host, as the VMM is. Not forced to disk.
 *
 * <p>The capability alone does not tell whose it is: the VMM's own user may have set it. And to look only when exomem moves the guest
 * again would be too late, as that user may save the guest before.
 */
public record IgnoreSharedFile(Path path) {
    private static final int VERSION = 1;
    /** In bytes. */
    private static final int MOST = 64 << 10;

    private static final String UID = "unix:uid";
    private static final int ROOT = 0;

    /** Which of the two VMMs of a guest that moves. */
    public enum End {
        SOURCE(".source-leaves-memory"),
        DESTINATION(".destination-leaves-memory");

        private final String suffix;

        End(String suffix) {
            this.suffix = suffix;
        }

        private IgnoreSharedFile beside(Path socket) {
            return new IgnoreSharedFile(socket.resolveSibling(socket.getFileName() + suffix));
        }
    }

    /**
     * What it tells.
     *
     * @param qmp the VMM's QMP socket
     * @param pid of the process that listens there; 0 if that can't be seen
     */
    public record Content(Path qmp, int pid) {}

    /**
     * Where it is.
     *
     * @param sockets of the VM's devices; without any there is no such place
     */
    public static Optional<IgnoreSharedFile> of(Collection<Path> sockets, End end) {
        return sockets.stream().findFirst().map(end::beside);
    }

    /** Whether something is noted. Takes as long as the file system does. */
    public boolean isThere() {
        return Files.exists(path, NOFOLLOW_LINKS);
    }

    /** Those that are there. Takes as long as the file system does. */
    public static List<IgnoreSharedFile> left(Collection<Path> sockets) {
        return sockets.stream()
                .flatMap(socket -> Stream.of(End.values()).map(end -> end.beside(socket)))
                .filter(IgnoreSharedFile::isThere)
                .toList();
    }

    void write(Content content) throws IOException {
        String json = Json.pretty(Json.object()
                .put("version", VERSION)
                .put("qmp", content.qmp().toAbsolutePath().toString())
                .put("pid", content.pid()));
        SmallFile.replace(path, (json + "\n").getBytes(StandardCharsets.UTF_8));
    }

    /** @throws IOException if it can't be used, or another user could have written it; it is left as it is */
    public Content read() throws IOException {
        try {
            // In a folder for all, another user could have a VMM told something.
            Object owner = Files.getAttribute(path, UID, NOFOLLOW_LINKS);
            if (!owner.equals(Files.getAttribute(Path.of("/proc/self"), UID)) && !owner.equals(ROOT)) {
                throw new IOException("it belongs to another user");
            }
            if (!Files.isRegularFile(path, NOFOLLOW_LINKS)) {
                throw new IOException("it is no plain file");
            }
            JsonNode json = Json.parse(new String(SmallFile.read(path, MOST).content(), StandardCharsets.UTF_8));
            if (json.path("version").asInt() != VERSION || !json.path("qmp").isTextual()) {
                throw new IOException("it is not of version " + VERSION);
            }
            return new Content(
                    Path.of(json.path("qmp").textValue()), json.path("pid").asInt());
        } catch (InvalidPathException | IOException e) {
            throw new IOException(path + " can't be used: " + e.getMessage() + ". It is left as it is", e);
        }
    }

    /** Of no effect if it is not there. */
    public void delete() throws IOException {
        Files.deleteIfExists(path);
    }
}
