package org.exomem.vmm;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A guest and the QEMU that runs it, as {@code tests/vmm/setup} puts them into the cache.
 *
 * @param qemuTree the unpacked packages of QEMU and all its libraries
 * @param kernel the kernel image
 * @param initramfs the guest's whole user space, or null if the kernel needs none
 */
public record GuestImage(
        Path qemuTree, Path kernel, @Nullable Path initramfs) {

    /** The kernels of the cache, by their Debian release. */
    public enum Linux {
        /** 6.1: boots fastest, ten statistics tags. */
        BOOKWORM,
        /** 7.x at the time of writing: the newest driver, sixteen statistics tags. */
        FORKY
    }

    /** Returns what is missing and how to get it, or empty if guests can be started. */
    public static Optional<String> whyAbsent() {
        List<Path> files = new ArrayList<>(List.of(driver().qemuProgram(), driver().kernel));
        for (Linux linux : Linux.values()) {
            files.addAll(List.of(kernel(linux), initramfs(linux)));
        }
        return files.stream()
                .filter(file -> !Files.isReadable(file))
                .findFirst()
                .map(file -> "no real guest: " + file + " is missing; run ./exomem test, or tests/vmm/setup");
    }

    /** Returns the image of that kernel. Its files may be missing, see {@link #whyAbsent()}. */
    public static GuestImage of(Linux linux) {
        return new GuestImage(cache().resolve("qemu"), kernel(linux), initramfs(linux));
    }

    /** Returns the image of {@code guest/driver.c}: a driver of a balloon without Linux, which boots in 0.3 s. */
    public static GuestImage driver() {
        return new GuestImage(cache().resolve("qemu"), cache().resolve("driver/driver"), null);
    }

    /** The same kernel as its package has it: it unpacks itself at boot. */
    Path packedKernel() {
        return kernel.resolveSibling("../kernel/vmlinuz").normalize();
    }

    private static Path kernel(Linux linux) {
        return folder(linux).resolve("vmlinux/vmlinux");
    }

    private static Path initramfs(Linux linux) {
        return folder(linux).resolve("initramfs/initrd");
    }

    private static Path folder(Linux linux) {
        return cache().resolve(linux.name().toLowerCase(Locale.ROOT));
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
