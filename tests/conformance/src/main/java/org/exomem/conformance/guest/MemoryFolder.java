package org.exomem.conformance.guest;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A folder for guests' memory and sockets, which is deleted when it is closed. A process that is killed leaves its
 * folders, and in {@code /dev/shm} they occupy memory. So the next process that creates a folder beside them deletes
 * them.
 */
public final class MemoryFolder implements AutoCloseable {
    /** The process's PID namespace, its id in that namespace, and a counter. */
    private static final Pattern NAME = Pattern.compile("exomem-([0-9a-z]+)-([0-9]{1,10})-[0-9]+");

    private static final FileAttribute<Set<PosixFilePermission>> OWNER_ONLY =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

    private final Path path;

    private MemoryFolder(Path path) {
        this.path = path;
    }

    /**
     * Creates a folder, and deletes those of processes that have ended.
     *
     * @param where an existing folder
     */
    public static MemoryFolder make(Path where) throws IOException {
        String namespace = namespace();
        sweep(where, namespace);
        for (long count = 0; ; count++) {
            Path path = where.resolve(name(namespace, ProcessHandle.current().pid(), count));
            try {
                return new MemoryFolder(Files.createDirectory(path, OWNER_ONLY));
            } catch (FileAlreadyExistsException e) {
                // The name exists: this process has another folder, or an earlier process had the same id.
            }
        }
    }

    public Path path() {
        return path;
    }

    /** Deletes the folder and its content. */
    @Override
    public void close() throws IOException {
        remove(path);
    }

    static String name(String namespace, long owner, long count) {
        return "exomem-" + namespace + "-" + owner + "-" + count;
    }

    /** Containers may share {@code /dev/shm}, and each has its own process ids. */
    static String namespace() throws IOException {
        String link = Files.readSymbolicLink(Path.of("/proc/self/ns/pid")).toString();
        return Long.toString(Long.parseLong(link.replaceAll("[^0-9]", "")), Character.MAX_RADIX);
    }

    private static void sweep(Path where, String namespace) throws IOException {
        List<Path> folders;
        try (Stream<Path> files = Files.list(where)) {
            folders = files.toList();
        }
        for (Path folder : folders) {
            Matcher name = NAME.matcher(folder.getFileName().toString());
            if (name.matches()
                    && name.group(1).equals(namespace)
                    && isOwn(folder)
                    && ProcessHandle.of(Long.parseLong(name.group(2))).isEmpty()) {
                try {
                    remove(folder);
                } catch (IOException e) {
                    // The folder belongs to another user, or another process deletes it now.
                }
            }
        }
    }

    private static boolean isOwn(Path folder) throws IOException {
        Integer user = (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        try {
            return Files.getAttribute(folder, "unix:uid", LinkOption.NOFOLLOW_LINKS)
                    .equals(user);
        } catch (NoSuchFileException e) {
            // Another process deletes it now.
            return false;
        }
    }

    private static void remove(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }
}
