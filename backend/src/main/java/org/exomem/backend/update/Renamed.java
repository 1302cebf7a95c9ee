package org.exomem.backend.update;

import java.nio.file.Path;

/**
 * A socket or file of a VMM that takes the place of another VMM's.
 *
 * @param from where it is
 * @param to in the same folder
 */
public record Renamed(Path from, Path to) {
    /** @throws IllegalArgumentException if they are not two absolute paths in one folder */
    public Renamed {
        if (!from.isAbsolute()
                || !to.isAbsolute()
                || from.equals(to)
                || !from.normalize().equals(from)
                || !to.normalize().equals(to)
                || !from.resolveSibling(to.getFileName()).equals(to)) {
            throw new IllegalArgumentException(from + " can't take the place of " + to
                    + ": they have to be two absolute paths in the same folder");
        }
    }
}
