package org.exomem.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A path at which this process made something, a socket for example. It is remembered by device and inode, so that at the
 * end only that is removed: an operator may have moved it away, and another process may have made its own in that place.
 *
 * <p>Keep what was made open until after {@link #remove}: an inode's number is free for others once nothing uses it. Safe
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
     * Remembers what is at the path now; call this directly after it was made.
     *
     * @throws LinuxException ENOENT if nothing is there
     */
    public static OwnPath of(Path path) throws LinuxException {
        return new OwnPath(path, FileStatus.of(path));
    }

    /**
     * Remembers a file that is open, and that {@link #isThere} then tells to be at the path or not.
     *
     * @param open to be kept open until after {@link #remove}
     */
    public static OwnPath of(Path path, Fd open) throws LinuxException {
        return new OwnPath(path, FileStatus.of(open));
    }

    /** The path, as it was given. */
    public Path path() {
        return path;
    }

    /** True if what was made is still at the path; false if something else is there, or nothing. */
    public boolean isThere() {
        try {
            return FileStatus.of(path).isSameFileAs(made);
        } catch (LinuxException e) {
            return false;
        }
    }

    /**
     * Removes what was made; leaves anything else that is there now.
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
