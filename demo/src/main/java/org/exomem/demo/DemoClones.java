package org.exomem.demo;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.migrate.StartedGuest;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.template.CheckedTemplate;
import org.exomem.backend.template.CloneUsage;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.Manifest;

/**
 * Guests that run from a template, each with a VMM of its own that has mapped the template's memory privately. {@code
 * exomem clone} does the same with QEMU.
 */
final class DemoClones {
    private static final int COUNT = 3;
    private static final long MIB = 1 << 20;
    /** More than the template's guest uses and keeps writing. */
    private static final long WRITTEN = 64 * MIB;

    private final ImageFolder image;
    private final List<DemoVmm> vmms = new ArrayList<>();
    private final List<Double> millis = new ArrayList<>();

    /**
     * Starts VMMs that wait, as {@code exomem clone --prepare} does.
     *
     * @param folder for their QMP sockets
     * @param template the folder of the template
     */
    DemoClones(Started started, Path folder, Path template) throws IOException {
        this.image = ImageFolder.open(template);
        CheckedTemplate.check(image, Optional.empty());
        Manifest.Ram ram = image.manifest().ram().getFirst();
        for (int i = 1; i <= COUNT; i++) {
            vmms.add(DemoVmm.startClone(
                    started,
                    folder,
                    image.ram(ram.name()),
                    "clone-" + i,
                    ram.name().size()));
        }
        for (DemoVmm vmm : vmms) {
            vmm.connect().close();
        }
    }

    /** The size of the template, as text for people. */
    String template() {
        Manifest.Ram ram = image.manifest().ram().getFirst();
        return ByteSize.format(ram.dataBytes()) + " of its "
                + ByteSize.format(ram.name().size())
                + " are in the template, without the pages that its bitmap reported free, and with digests";
    }

    /** Runs the clones, one after the other. Returns how long that took, as text for people. */
    String run() throws IOException {
        for (DemoVmm vmm : vmms) {
            long begin = System.nanoTime();
            try (QmpVmm of = QmpVmm.connect(vmm.qmp())) {
                of.expectIncoming();
                of.loadState(image.state());
                StartedGuest.start(of);
            }
            millis.add((System.nanoTime() - begin) / 1e6);
        }
        return String.format(
                Locale.ROOT,
                "%d clones run, each after %.0f to %.0f ms; their VMMs waited",
                COUNT,
                millis.stream().mapToDouble(time -> time).min().orElse(0),
                millis.stream().mapToDouble(time -> time).max().orElse(0));
    }

    /** One clone writes, and all verify their memory. Returns text for people. */
    String write() throws IOException {
        vmms.getFirst().execute("x-load", Json.object().put("fill", WRITTEN));
        long same = 0;
        for (DemoVmm vmm : vmms) {
            same = vmm.verify();
        }
        return "the first one fills " + ByteSize.format(WRITTEN) + " more; each of the others reads its "
                + ByteSize.format(same) + " unchanged";
    }

    /**
     * The private memory of each clone, as text for people.
     *
     * @throws DemoFailure if that is not less than the template's memory
     */
    String memory() throws IOException {
        List<String> own = new ArrayList<>();
        List<CloneUsage> all = CloneUsage.of(image);
        for (DemoVmm vmm : vmms) {
            CloneUsage memory = all.stream()
                    .filter(one -> one.pid() == vmm.pid())
                    .findFirst()
                    .orElseThrow(() -> new DemoFailure("a clone did not map its template: " + all));
            boolean writes = vmm == vmms.getFirst();
            if (writes != memory.own() >= WRITTEN) {
                throw new DemoFailure("a clone has " + ByteSize.format(memory.own()) + " of private memory");
            }
            own.add(ByteSize.format(memory.own()));
        }
        return "they have " + String.join(", ", own) + " of private memory, and share the rest";
    }
}
