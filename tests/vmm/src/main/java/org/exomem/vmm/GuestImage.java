package org.exomem.vmm;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * A Linux guest and the QEMU that runs it, as {@code tests/vmm/setup} leaves them in the cache.
 *
 * @param qemuTree the unpacked packages of QEMU and all its libraries
 * @param kernel the kernel image
 * @param initramfs the guest's whole user space
 */
public record GuestImage(Path qemuTree, Path kernel, Path initramfs) {

    /** The kernels of the cache, by the Debian release that they come from. */
    public enum Linux {
        /** 6.1: boots fastest, ten statistics tags. */
        BOOKWORM,
        /** 7.x at the time of writing: the newest driver, sixteen statistics tags. */
        FORKY
    }

    /** Returns what is missing and what to do about it, or empty if guests can be started. */
    public static Optional<String> whyAbsent() {
        for (Linux linux : Linux.values()) {
            GuestImage image = of(linux);
            for (Path file : List.of(image.qemuProgram(), image.kernel, image.initramfs)) {
                if (!Files.isReadable(file)) {
                    return Optional.of("no real guest: " + file + " is missing; run ./exomem test, or tests/vmm/setup");
                }
            }
        }
        return Optional.empty();
    }

    /** Returns the image of that kernel; {@link #whyAbsent()} tells whether its files exist. */
    public static GuestImage of(Linux linux) {
        Path cache = cache();
        Path guest = cache.resolve(linux.name().toLowerCase(Locale.ROOT));
        return new GuestImage(
                cache.resolve("qemu"), guest.resolve("kernel/vmlinuz"), guest.resolve("initramfs/initrd.gz"));
    }

    /**
     * Returns the words that start QEMU, to be followed by its arguments. The tree's own dynamic linker runs the
     * program with the tree's libraries, so that neither root nor a chroot is needed.
     */
    public List<String> qemu() {
        return List.of(
                qemuTree.resolve("usr/lib64/ld-linux-x86-64.so.2").toString(),
                "--library-path",
                qemuTree.resolve("usr/lib/x86_64-linux-gnu").toString(),
                qemuProgram().toString(),
                "-L",
                qemuTree.resolve("usr/share/qemu").toString(),
                "-L",
                qemuTree.resolve("usr/share/seabios").toString());
    }

    private Path qemuProgram() {
        return qemuTree.resolve("usr/bin/qemu-system-x86_64");
    }

    private static Path cache() {
        return environment("EXOMEM_CACHE")
                .or(() -> environment("XDG_CACHE_HOME").map(home -> home.resolve("exomem")))
                .orElseGet(() -> Path.of(System.getProperty("user.home"), ".cache", "exomem"))
                .resolve("vmm");
    }

    private static Optional<Path> environment(String name) {
        return Optional.ofNullable(System.getenv(name))
                .filter(value -> !value.isEmpty())
                .map(Path::of);
    }
}
