package org.exomem.backend.template;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.exomem.images.ram.RamFileName;
import org.exomem.linux.LinuxException;
import org.exomem.linux.OwnPath;
import org.exomem.linux.process.MappedFiles;
import org.exomem.linux.process.MappedFiles.Area;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The RAM files that only one clone has: what it shares with its devices is in them, and nothing else (IMG-CLONE-5). Nobody needs them when its VMM
 * has ended. For one thread at a time.
 */
public final class OwnRam {
    private static final Logger LOG = LoggerFactory.getLogger(OwnRam.class);

    private final List<OwnPath> files;

    private OwnRam(List<OwnPath> files) {
        this.files = files;
    }

    /**
     * Finds those of a clone that runs: its VMM has each mapped shared, and the template's file of the same name privately. The VMM of any other VM
     * has none.
     *
     * @param vmm its process; nothing is found if it may not be looked at
     */
    public static OwnRam of(int vmm) {
        List<OwnPath> files = new ArrayList<>();
        try {
            Set<String> templates = MappedFiles.privateOf(vmm).stream()
                    .filter(Area::writable)
                    .map(area -> name(area.path()))
                    .collect(Collectors.toSet());
            for (String path : paths(vmm)) {
                if (templates.contains(name(path))) {
                    add(files, path);
                }
            }
        } catch (IOException e) {
            LOG.debug("it can't be seen which RAM files process {} has for itself", vmm, e);
        }
        return new OwnRam(files);
    }

    private static Set<String> paths(int vmm) throws IOException {
        return MappedFiles.of(vmm).areas().stream()
                .map(Area::path)
                .filter(path -> name(path).startsWith(RamFileName.PREFIX))
                .collect(Collectors.toSet());
    }

    private static void add(List<OwnPath> files, String path) {
        try {
            files.add(OwnPath.of(Path.of(path)));
        } catch (LinuxException e) {
            // Somebody has removed it.
        }
    }

    private static String name(String path) {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    /** Removes those that are still where they were. What can't be removed stays, and is told in the log. */
    public void remove() {
        for (OwnPath file : files) {
            try {
                file.remove();
            } catch (IOException e) {
                LOG.warn("{}: not removed, and takes memory: {}", file, e.getMessage());
            }
        }
    }
}
