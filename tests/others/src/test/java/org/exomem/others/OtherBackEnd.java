package org.exomem.others;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import org.exomem.conform.run.Expectations;

/** A back-end of another project, installed by {@code tests/others}. */
enum OtherBackEnd {
    VIRTIOFSD("virtiofsd", "virtio-fs"),
    QEMU_STORAGE_DAEMON("qemu-storage-daemon", "virtio-blk"),
    VHOST_USER_GPU("vhost-user-gpu", "virtio-gpu"),
    PASST("passt", "virtio-net"),
    DPDK_TESTPMD("dpdk-testpmd", "virtio-net");

    private final String program;
    private final String device;

    OtherBackEnd(String program, String device) {
        this.program = program;
        this.device = device;
    }

    /** The top of the source tree. */
    static Path root() {
        Path folder = Path.of("").toAbsolutePath();
        while (!Files.isDirectory(folder.resolve("spec"))) {
            folder = Objects.requireNonNull(folder.getParent(), "no folder spec/ here or above");
        }
        return folder;
    }

    private static Path cache() {
        String exomem = System.getenv("EXOMEM_CACHE");
        String xdg = System.getenv("XDG_CACHE_HOME");
        Path all = exomem != null
                ? Path.of(exomem)
                : (xdg != null ? Path.of(xdg) : Path.of(System.getProperty("user.home"), ".cache")).resolve("exomem");
        return all.resolve("others");
    }

    /** Why the tests can't run; empty if they can. */
    static Optional<String> whyAbsent() {
        return Files.exists(cache().resolve("inputs"))
                ? Optional.empty()
                : Optional.of("the back-ends of others are not there: run tests/others/setup");
    }

    String program() {
        return program;
    }

    /** The device's type, as the first part of its request's name. */
    String device() {
        return device;
    }

    /** The version of its Debian package. */
    String version() throws IOException {
        return Files.readString(cache().resolve("versions").resolve(program)).strip();
    }

    /** The command that starts it, from the top of the source tree. */
    String command() {
        return "tests/others/serve " + program + " {socket}";
    }

    Expectations expectations() throws IOException {
        return Expectations.read(root().resolve("tests/others/expect").resolve(program));
    }

    @Override
    public String toString() {
        return program;
    }
}
