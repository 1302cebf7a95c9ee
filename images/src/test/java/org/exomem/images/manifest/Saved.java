package org.exomem.images.manifest;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.exomem.images.Sha256;
import org.exomem.images.ram.RamBlock;
import org.exomem.images.ram.RamFileName;
import org.exomem.images.ram.RamFiles;

/** A small VM that is saved. */
final class Saved {
    static final List<RamFileName> RAM =
            RamFileName.of(List.of(new RamBlock("ram", 1 << 20), new RamBlock("more", 1 << 16)));
    static final byte[] STATE = "the state of devices".getBytes(StandardCharsets.UTF_8);
    static final Manifest.Vmm VMM = new Manifest.Vmm(
            "QEMU", "11.1.2", List.of("qemu-system-x86_64", "-m", "1G", "-append", "console=ttyS0 \"ä\"", ""));

    private Saved() {}

    static Manifest manifest() {
        return new Manifest(
                "0.1.0",
                "web",
                Instant.parse("2026-11-29T03:00:00.123Z"),
                true,
                VMM,
                List.of(
                        new Manifest.Ram(RAM.get(0), 4096, Optional.of(Sha256.of(new byte[1]))),
                        new Manifest.Ram(RAM.get(1), 0, Optional.empty())),
                new Manifest.StateFile(STATE.length, Sha256.of(STATE)),
                Optional.of("{\"version\":1,\"running\":true,\"devices\":[{\"id\":\"balloon0\"}]}"));
    }

    static ImageWriter.Description description() {
        return new ImageWriter.Description(
                "0.1.0", "web", Instant.parse("2026-11-29T03:00:00Z"), true, VMM, RAM, Optional.empty());
    }

    /** Makes RAM files and state in a folder, and an image of it. */
    static ImageFolder in(Path folder, ImageWriter.Watch watch) throws IOException {
        ImageWriter writer = ImageWriter.begin(folder, watch);
        RamFiles.in(folder).create(RAM, RamFiles.Room.ON_DEMAND);
        Files.write(writer.state(), STATE);
        return writer.finish(description(), ImageWriter.Digests.NONE);
    }
}
