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
 * A file that says that this exomem has switched on ignore-shared in a VMM, so that the VMM leaves memory out of its
 * transfers (VMM-22). It reaches the next exomem if this one is killed. Its path is that of the socket of one of the VM's
 * devices with {@code .source-leaves-memory} or {@code .destination-leaves-memory} appended. The process that serves the
 * device next knows this path, even without a state directory. The file is lost when the host restarts, and so is the VMM.
 * It is not forced to disk.
 *
 * <p>The capability alone does not show who set it: the VMM's own user may have done so. And a check at the next migration
 * by exomem would be too late, as that user may save the guest before.
 */
public record IgnoreSharedFile(Path path) {
    private static final int VERSION = 1;
    /** In bytes. */
    private static final int MOST = 64 << 10;

    private static final String UID = "unix:uid";
    private static final int ROOT = 0;

    /** The two VMMs of a guest that moves. */
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
     * The content of the file.
     *
     * @param qmp the VMM's QMP socket
     * @param pid of the process that listens there; 0 if it can't be seen
     */
    public record Content(Path qmp, int pid) {}

    /**
     * Returns the file for a VM.
     *
     * @param sockets of the VM's devices; without any there is no such file
     */
    public static Optional<IgnoreSharedFile> of(Collection<Path> sockets, End end) {
        return sockets.stream().findFirst().map(end::beside);
    }

    /** Checks whether the file exists. Takes as long as the file system does. */
    public boolean isThere() {
        return Files.exists(path, NOFOLLOW_LINKS);
    }

    /** Returns the files that exist. Takes as long as the file system does. */
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

    /**
     * Reads the file.
     *
     * @throws IOException if it can't be used, or another user could have written it; the file stays
     */
    public Content read() throws IOException {
        try {
            // In a folder that all users may write, another user could make exomem control a VMM.
            Object owner = Files.getAttribute(path, UID, NOFOLLOW_LINKS);
            if (!owner.equals(Files.getAttribute(Path.of("/proc/self"), UID)) && !owner.equals(ROOT)) {
                throw new IOException("it belongs to another user");
            }
            if (!Files.isRegularFile(path, NOFOLLOW_LINKS)) {
                throw new IOException("it is not a regular file");
            }
            JsonNode json = Json.parse(new String(SmallFile.read(path, MOST).content(), StandardCharsets.UTF_8));
            if (json.path("version").asInt() != VERSION || !json.path("qmp").isTextual()) {
                throw new IOException("it is not of version " + VERSION);
            }
            return new Content(
                    Path.of(json.path("qmp").textValue()), json.path("pid").asInt());
        } catch (InvalidPathException | IOException e) {
            throw new IOException(path + " can't be used: " + e.getMessage() + ". It is left unchanged", e);
        }
    }

    /** Deletes the file, if it exists. */
    public void delete() throws IOException {
        Files.deleteIfExists(path);
    }
}
