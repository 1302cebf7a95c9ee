package org.exomem.linux.process;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Finds the process that serves a Unix socket where another one made it: libvirt listens on a QEMU's QMP socket, and hands it to
 * QEMU. The kernel tells a client who called {@code listen}, not who accepts.
 */
public final class SocketHolder {
    private static final int COLUMNS = 8;
    private static final int FLAGS_COLUMN = 3;
    private static final int INODE_COLUMN = 6;
    private static final int PATH_COLUMN = 7;
    private static final String LISTENS = "00010000";

    private SocketHolder() {}

    /**
     * Returns a process that has the listening socket open.
     *
     * @param socket as it was bound
     * @param maker the process that called {@code listen}; it is the one if it has the socket open still, and if no other can be
     *     found that may be looked at
     */
    public static int of(Path socket, int maker) throws IOException {
        Optional<String> name = nameOf(socket);
        if (name.isEmpty() || holds(maker, name.get())) {
            return maker;
        }
        String[] processes = new File("/proc").list();
        if (processes != null) {
            for (String process : processes) {
                if (Character.isDigit(process.charAt(0)) && holds(Integer.parseInt(process), name.get())) {
                    return Integer.parseInt(process);
                }
            }
        }
        return maker;
    }

    /**
     * What the kernel calls the socket among the files that a process has open. Its list has lines of this form:
     *
     * <pre>
     * address: references protocol flags type state inode path
     * </pre>
     */
    private static Optional<String> nameOf(Path socket) throws IOException {
        String path = socket.toAbsolutePath().toString();
        try (Stream<String> lines = Files.lines(Path.of("/proc/net/unix"), StandardCharsets.UTF_8)) {
            return lines.map(line -> line.split(" +", COLUMNS))
                    .filter(row ->
                            row.length == COLUMNS && row[FLAGS_COLUMN].equals(LISTENS) && row[PATH_COLUMN].equals(path))
                    .map(row -> "socket:[" + row[INODE_COLUMN] + "]")
                    .findFirst();
        }
    }

    /**
     * False if the kernel tells of the socket, and the process does not have it open. True where that can't be seen: a socket of another
     * network namespace, or a process that may not be looked at.
     *
     * @param socket as it was bound
     */
    public static boolean mayServe(Path socket, int process) throws IOException {
        Optional<String> name = nameOf(socket);
        try {
            return name.isEmpty() || OpenFiles.of(process).names().containsValue(name.get());
        } catch (AccessDeniedException e) {
            return true;
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    private static boolean holds(int process, String name) {
        try {
            return OpenFiles.of(process).names().containsValue(name);
        } catch (IOException e) {
            // It has ended, or may not be looked at.
            return false;
        }
    }
}
