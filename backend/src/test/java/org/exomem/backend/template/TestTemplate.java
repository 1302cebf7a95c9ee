package org.exomem.backend.template;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.ImageWriter;
import org.exomem.images.manifest.Manifest;
import org.exomem.images.ram.RamFileName;
import org.exomem.images.ram.RamFiles;
import org.exomem.images.signature.ImageSignature;

/** A small template of a VM. */
public final class TestTemplate {
    /** Its only RAM. */
    public static final RamFileName RAM = new RamFileName(0, 8192, "ram");

    private TestTemplate() {}

    /** @param command of its VMM */
    public static ImageFolder make(Path path, String... command) throws IOException {
        ImageWriter writer = ImageWriter.begin(path);
        RamFiles.in(path).create(List.of(RAM), RamFiles.Room.ON_DEMAND);
        Files.writeString(writer.state(), "state");
        return writer.finish(
                new ImageWriter.Description(
                        "1",
                        "vm",
                        Instant.EPOCH,
                        true,
                        new Manifest.Vmm("QEMU", "11", List.of(command)),
                        List.of(RAM),
                        Optional.empty()),
                ImageSignature.digests());
    }
}
