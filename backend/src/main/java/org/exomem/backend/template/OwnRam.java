package org.exomem.backend.template;

import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.exomem.images.ram.RamFileName;
import org.exomem.linux.FileStatus;
import org.exomem.linux.OwnPath;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.MappedFiles;
import org.exomem.linux.process.MappedFiles.Area;
import org.exomem.linux.process.ProcessFd;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The RAM files that only one clone uses: they have exactly the pages that it shares with its devices (IMG-CLONE-5). They
 * are not needed any more when its VMM has ended. This keeps them open, so that no other file can be mistaken for one of
 * them. For one thread at a time, except {@link #descriptors}.
 *
 * <p>A VMM decides itself what it maps, and what its paths are called where it sees them. A file counts as one of these only
 * if it is the mapped file, the VMM may write to it, and the VMM's user owns it.
 */
public final class OwnRam implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(OwnRam.class);

    private final List<Held> files;

    private record Held(OwnPath path, SharedFile file) {}

    private OwnRam(List<Held> files) {
        this.files = List.copyOf(files);
    }

    /**
     * Finds the files of a running clone: its VMM has mapped each of them shared, and the template's file of the same name
     * privately. The VMM of any other VM has none.
     *
     * @param vmm its process; no files are found if it may not be examined, or has ended
     */
    public static OwnRam of(ProcessFd vmm) {
        List<Held> files = new ArrayList<>();
        try {
            find(vmm, files);
            if (vmm.isAlive()) {
                return new OwnRam(files);
            }
            // The examined process may have been another one with the same number.
        } catch (IOException e) {
            LOG.debug("can't determine which RAM files belong to {} alone", vmm, e);
        }
        files.forEach(held -> held.file.close());
        return new OwnRam(List.of());
    }

    private static void find(ProcessFd vmm, List<Held> files) throws IOException {
        int user = vmm.status().user();
        Set<String> templates = MappedFiles.privateOf(vmm.pid()).stream()
                .filter(Area::writable)
                .map(Area::fileName)
                .collect(Collectors.toSet());
        Set<String> seen = new HashSet<>();
        for (Area area : MappedFiles.of(vmm.pid()).areas()) {
            String name = area.fileName();
            if (area.writable()
                    && name.startsWith(RamFileName.PREFIX)
                    && templates.contains(name)
                    && seen.add(area.file())) {
                hold(area, user, files);
            }
        }
    }

    private static void hold(Area area, int user, List<Held> files) {
        try {
            Path path = area.toPath();
            // Before it is opened: opening something else than a file may block or have an effect.
            if (!FileStatus.of(path).isRegularFile()) {
                return;
            }
            SharedFile file = SharedFile.openForReading(path);
            OwnPath own = ownPath(path, file, area, user);
            if (own == null) {
                file.close();
                LOG.info(
                        "{}: will not be removed when its VMM ends: it is not the mapped file, or belongs to another"
                                + " user",
                        path);
            } else {
                files.add(new Held(own, file));
            }
        } catch (IOException | InvalidPathException e) {
            LOG.info("{}: will not be removed when its VMM ends: {}", area.path(), e.getMessage());
        }
    }

    private static @Nullable OwnPath ownPath(Path path, SharedFile file, Area area, int user) throws IOException {
        try {
            OwnPath own = OwnPath.of(path, file.fd());
            boolean mapped = MappedFiles.nameOf(file).equals(area.file()) && own.isThere();
            return mapped && FileStatus.of(file.fd()).owner() == user ? own : null;
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /** The number of descriptors until this is closed or has removed its files. Safe for use by any thread. */
    public int descriptors() {
        return files.size();
    }

    /**
     * Removes the files that are still at their paths, and closes this. A file that can't be removed stays, and is reported
     * in the log.
     */
    public void remove() {
        for (Held held : files) {
            try {
                held.path.remove();
            } catch (IOException e) {
                LOG.warn("{}: could not be removed, and still takes memory: {}", held.path, e.getMessage());
            }
        }
        close();
    }

    /** Closes this. The files stay. */
    @Override
    public void close() {
        files.forEach(held -> held.file.close());
    }
}
