package org.exomem.backend.image;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.ImageWriter;
import org.exomem.images.manifest.Manifest;
import org.exomem.images.ram.RamFileName;
import org.exomem.images.ram.RamFiles;

/** A saved VM, and a program in place of its VMM, whose start takes as long as a test wants. */
final class HeldUpStart {
    private static final RamFileName RAM = new RamFileName(0, 8192, "ram");

    private final Path folder;
    private final Path goOn;

    /** @param folder for all files */
    HeldUpStart(Path folder) throws IOException, InterruptedException {
        this.folder = folder;
        this.goOn = folder.resolve("go-on");
        if (new ProcessBuilder("mkfifo", goOn.toString()).start().waitFor() != 0) {
            throw new IOException("no FIFO " + goOn);
        }
        Path program = folder.resolve("vmm");
        Files.writeString(program, "#!/bin/sh\ntouch '" + started() + "'\nread code < '" + goOn + "'\nexit $code\n");
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
    }

    /** Saves a running VM, with devices as in the manifest. */
    Path image(Optional<String> devices) throws IOException {
        Path image = folder.resolve("image");
        ImageWriter writer = ImageWriter.begin(image);
        RamFiles.in(image).create(List.of(RAM), RamFiles.Room.ON_DEMAND);
        Files.writeString(writer.state(), "state");
        writer.finish(
                new ImageWriter.Description(
                        "1",
                        "web",
                        Instant.EPOCH,
                        true,
                        new Manifest.Vmm(
                                "QEMU",
                                "11",
                                List.of(
                                        folder.resolve("vmm").toString(),
                                        "-object",
                                        "memory-backend-file,id=ram,share=on,mem-path=" + ram() + ",size=8192",
                                        "-machine",
                                        "q35,memory-backend=ram",
                                        "-qmp",
                                        "unix:" + qmp() + ",server=on,wait=off")),
                        List.of(RAM),
                        devices),
                ImageWriter.Digests.NONE);
        return ImageFolder.open(image).folder();
    }

    /** The RAM file of the copied VM. */
    Path ram() {
        return folder.resolve("web.ram");
    }

    /** The QMP socket of its VMM. */
    Path qmp() {
        return folder.resolve("qmp");
    }

    private Path started() {
        return folder.resolve("started");
    }

    /** Returns when the VMM is starting. */
    void awaitStart() {
        await().atMost(Duration.ofSeconds(40)).until(() -> Files.exists(started()));
    }

    /** Lets the VMM's start succeed, or fail with this exit code. */
    void end(int code) throws IOException {
        Files.writeString(goOn, code + "\n");
    }
}
