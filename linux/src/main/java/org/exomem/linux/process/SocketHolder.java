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
 * Finds the process that serves a Unix socket which another process made: libvirt listens on a QEMU's QMP socket, and passes
 * it to QEMU. The kernel shows a client the process that called {@code listen}, not the one that accepts.
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
     * @param maker the process that called {@code listen}; returned if it still has the socket open, or if no other process
     *     can be found that may be examined
     * @throws IOException if the kernel's table can't be read
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
     * The kernel's name of the socket among the open files of a process. The kernel's table has lines of this form:
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
     * False if the kernel's table has the socket, and the process does not have it open. True if that can't be seen: for a
     * socket of another network namespace, or a process that may not be examined.
     *
     * @param socket as it was bound
     * @throws IOException if the table can't be read
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
            // It has ended, or may not be examined.
            return false;
        }
    }
}
