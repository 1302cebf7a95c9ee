package org.exomem.backend.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.exomem.backend.launch.VmmCommandLine;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpSession;
import org.exomem.backend.qmp.VmmException;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.MappedFiles;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The memory back-ends of a VMM (VMM-3). For one thread. */
final class VmmRam {
    private static final Logger LOG = LoggerFactory.getLogger(VmmRam.class);

    /** The prefix of the ids of mapped templates. */
    private static final String TEMPLATE = VmmCommandLine.TEMPLATE;

    private final QmpSession qmp;
    private final VmmPeer peer;
    private @Nullable MappedFiles mapped;

    VmmRam(QmpSession qmp, VmmPeer peer) {
        this.qmp = qmp;
        this.peer = peer;
    }

    /**
     * Returns the files of the guest's RAM.
     *
     * @throws VmmException if the VMM runs a clone, or would migrate a part of its RAM itself: RAM that is not shared, or
     *     has no name in the file system (QEMU's {@code memory-backend-memfd})
     */
    List<GuestRamFile> files() throws IOException {
        List<GuestRamFile> files = ownFiles();
        if (!templates().isEmpty()) {
            throw new VmmException("the VMM on " + qmp
                    + " runs a clone: its memory is in the template, not in its own files. Save the VM into"
                    + " an image (exomem save) and restore it from that image");
        }
        return files;
    }

    /**
     * Returns the files of the guest's RAM, also for a clone. A clone's files have only the pages that were written since it
     * began.
     *
     * @throws VmmException if a part of the RAM is not shared, or has no name in the file system
     */
    List<GuestRamFile> ownFiles() throws IOException {
        List<GuestRamFile> files = new ArrayList<>();
        for (JsonNode backend : qmp.execute("query-memdev")) {
            String id = backend.path("id").asText();
            if (id.startsWith(TEMPLATE)) {
                continue;
            }
            JsonNode path = memoryPath(id);
            if (path == null || !backend.path("share").asBoolean()) {
                throw new VmmException("the VMM on " + qmp + ": the memory \"" + id + "\" is "
                        + (path == null ? "not a file with a name" : "not shared")
                        + "; start the VM with -object memory-backend-file,id=" + id
                        + ",share=on,mem-path=FILE,… (in /dev/shm, for example)");
            }
            files.add(new GuestRamFile(
                    id, Path.of(path.asText()), backend.path("size").asLong()));
        }
        if (files.isEmpty()) {
            throw new VmmException("the VMM on " + qmp + " has no memory back-end; start the VM with -machine"
                    + " …,memory-backend=ram and -object memory-backend-file,id=ram,share=on,mem-path=FILE,…");
        }
        return files;
    }

    /**
     * Returns the files of the template that a clone's VMM has mapped over its RAM, by the ids of that RAM. Empty for any
     * other VM.
     */
    Map<String, Path> templates() throws IOException {
        Map<String, Path> templates = new LinkedHashMap<>();
        for (JsonNode backend : qmp.execute("query-memdev")) {
            String id = backend.path("id").asText();
            JsonNode path = id.startsWith(TEMPLATE) ? memoryPath(id) : null;
            if (path != null) {
                templates.put(id.substring(TEMPLATE.length()), Path.of(path.asText()));
            }
        }
        return templates;
    }

    /**
     * Checks that a file is the guest's RAM, as far as that can be seen: the process that listens on the QMP socket must not
     * have mapped another file of that name. A process that has mapped neither may be a proxy between exomem and the VMM.
     *
     * @param id the VMM's name for that RAM
     * @throws VmmException if the VMM has mapped another file in its place
     */
    void expectMapped(String id, SharedFile file) throws IOException {
        JsonNode path = memoryPath(id);
        if (path != null && mapped().hasAnotherThan(MappedFiles.nameOf(file), path.asText())) {
            throw new VmmException("the memory \"" + id + "\" that the VMM on " + qmp + " has mapped is not " + file
                    + " (the file may have been created again under the same name): restart the VMM");
        }
    }

    /**
     * Checks that the guest's RAM remains unchanged when the VMM ends.
     *
     * @throws VmmException if a memory back-end would give it back to the host ({@code discard-data})
     */
    void expectKept() throws IOException {
        for (JsonNode backend : qmp.execute("query-memdev")) {
            String id = backend.path("id").asText();
            if (qmp.property("/objects/" + id, "discard-data").asBoolean()) {
                throw new VmmException("the VMM on " + qmp + " discards the memory \"" + id
                        + "\" when it ends: start the VM without discard-data=on");
            }
        }
    }

    private MappedFiles mapped() {
        MappedFiles known = mapped;
        if (known == null) {
            try {
                known = MappedFiles.of(peer.pid());
            } catch (IOException e) {
                LOG.debug("can't examine the mappings of the VMM on {}", qmp, e);
                known = MappedFiles.NONE;
            }
            mapped = known;
        }
        return known;
    }

    private @Nullable JsonNode memoryPath(String id) throws IOException {
        for (JsonNode property : qmp.execute("qom-list", Json.object().put("path", "/objects/" + id))) {
            if (property.path("name").asText().equals("mem-path")) {
                return qmp.property("/objects/" + id, "mem-path");
            }
        }
        return null;
    }
}
