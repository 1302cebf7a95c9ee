package org.exomem.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A path at which this process made something, such as a socket. It is identified by device and inode, so that only this is
 * removed at the end: an operator may have moved it away, and another process may have made its own at the path.
 *
 * <p>Keep the object open until after {@link #remove}, because an inode's number can be reused when the inode is free. Safe
 * for use by several threads.
 */
public final class OwnPath {
    private final Path path;
    private final FileStatus made;

    private OwnPath(Path path, FileStatus made) {
        this.path = path;
        this.made = made;
    }

    /**
     * Identifies what is at the path now. Call it directly after it was made.
     *
     * @throws LinuxException ENOENT if there is nothing
     */
    public static OwnPath of(Path path) throws LinuxException {
        return new OwnPath(path, FileStatus.of(path));
    }

    /**
     * Identifies an open file; {@link #isThere} then checks whether it is at the path.
     *
     * @param open must stay open until after {@link #remove}
     * @throws LinuxException if its status can't be read
     */
    public static OwnPath of(Path path, Fd open) throws LinuxException {
        return new OwnPath(path, FileStatus.of(open));
    }

    /** The path, as it was given. */
    public Path path() {
        return path;
    }

    /** True if the object is still at the path; false if there is something else, or nothing. */
    public boolean isThere() {
        try {
            return FileStatus.of(path).isSameFileAs(made);
        } catch (LinuxException e) {
            return false;
        }
    }

    /**
     * Removes the object; anything else at the path stays.
     *
     * @throws IOException if it is there and can't be removed
     */
    public void remove() throws IOException {
        if (isThere()) {
            Files.deleteIfExists(path);
        }
    }

    @Override
    public String toString() {
        return path.toString();
    }
}
