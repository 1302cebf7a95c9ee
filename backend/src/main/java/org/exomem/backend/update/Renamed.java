package org.exomem.backend.update;

import java.nio.file.Path;

/**
 * A socket or file of a VMM that replaces that of another VMM.
 *
 * @param from the present path
 * @param to the new path, in the same folder
 */
public record Renamed(Path from, Path to) {
    /**
     * @throws IllegalArgumentException unless they are two different absolute paths in one folder, without {@code .} and
     *     {@code ..}
     */
    public Renamed {
        if (!from.isAbsolute()
                || !to.isAbsolute()
                || from.equals(to)
                || !from.normalize().equals(from)
                || !to.normalize().equals(to)
                || !from.resolveSibling(to.getFileName()).equals(to)) {
            throw new IllegalArgumentException(
                    from + " can't be renamed to " + to + ": they must be two absolute paths in the same folder");
        }
    }
}
