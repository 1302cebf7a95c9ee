package org.exomem.linux;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Sockets in the file system that were left by a process that has ended. */
public final class StaleSocket {
    private static final Path KERNEL_TABLE = Path.of("/proc/net/unix");
    private static final int COLUMNS = 8;
    private static final int FLAGS_COLUMN = 3;
    private static final long ACCEPTS = 0x10000;

    private StaleSocket() {}

    /**
     * Removes the socket if no process listens on it; does nothing if there is none.
     *
     * @throws LinuxException with EADDRINUSE if a process listens, or the path is something other than a socket
     */
    public static void remove(Path path) throws LinuxException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        if (!isSocket(path)) {
            throw new LinuxException(
                    "bind", path.toString(), Errno.EADDRINUSE, "the path exists and is not a socket; move it away");
        }
        if (!isKnownToListen(path) && !isConnectable(path)) {
            delete(path);
            return;
        }
        throw new LinuxException(
                "bind", path.toString(), Errno.EADDRINUSE, "another process listens there; end it or use another path");
    }

    /**
     * Looks in the kernel's table first, which has no side effect: a process that listens there would take a connection for
     * a front-end or a client.
     *
     * <pre>
     * Num RefCount Protocol Flags Type St Inode Path
     * </pre>
     */
    private static boolean isKnownToListen(Path path) {
        try (Stream<String> lines = Files.lines(KERNEL_TABLE, StandardCharsets.ISO_8859_1)) {
            String wanted = new String(path.toString().getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
            return lines.skip(1)
                    .map(line -> line.split(" +", COLUMNS))
                    .anyMatch(row -> row.length == COLUMNS
                            && row[COLUMNS - 1].equals(wanted)
                            && (Long.parseLong(row[FLAGS_COLUMN], 16) & ACCEPTS) != 0);
        } catch (IOException | UncheckedIOException e) {
            return false;
        }
    }

    /** For a listener that the table shows under another name, or not at all, because it is in another network namespace. */
    private static boolean isConnectable(Path path) throws LinuxException {
        try {
            UnixSockets.connectNow(path).close();
            return true;
        } catch (LinuxException e) {
            if (e.errno() == Errno.ECONNREFUSED) {
                return false;
            }
            if (e.errno() == Errno.EAGAIN) {
                return true;
            }
            throw e;
        }
    }

    private static boolean isSocket(Path path) throws LinuxException {
        try {
            int mode = (int) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
            return (mode & 0xf000) == 0xc000;
        } catch (IOException e) {
            throw new LinuxException("stat", path.toString(), Errno.EACCES);
        }
    }

    private static void delete(Path path) throws LinuxException {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            throw new LinuxException("unlink of a stale socket", path.toString(), Errno.EACCES);
        }
    }
}
