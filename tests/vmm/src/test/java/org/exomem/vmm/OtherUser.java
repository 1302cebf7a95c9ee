package org.exomem.vmm;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Runs commands of {@code exomem} as an unprivileged user. If that is impossible, the test is skipped. */
final class OtherUser {
    /** The user "nobody". */
    static final int UID = 65534;

    /**
     * Makes a home that only its owner can enter accessible, in a mount namespace of its own: JDK, jars and QEMU may be
     * there.
     */
    private static final String SCRIPT = """
            set -e
            there=$(mktemp -d)
            mount --bind "$HOME" "$there"
            mount -t tmpfs -o mode=755 tmpfs "$HOME"
            for folder in "$there"/.[!.]* "$there"/*; do
                if [ -d "$folder" ]; then
                    mkdir "$HOME/${folder##*/}"
                    mount --bind "$folder" "$HOME/${folder##*/}"
                fi
            done
            umount -l "$there"
            rmdir "$there"
            exec setpriv --reuid=%d --regid=0 --clear-groups "$@"
            """.formatted(UID);

    private OtherUser() {}

    /**
     * Runs a command.
     *
     * @return its exit code, followed by its output
     */
    static String run(String... words) throws IOException {
        assumeTrue(
                Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"))
                        && Stream.of("unshare", "setpriv")
                                .allMatch(program -> Files.isExecutable(Path.of("/usr/bin", program))),
                "needs to be root, to be somebody else");
        List<String> all = new ArrayList<>(List.of("unshare", "-m", "sh", "-c", SCRIPT, "sh"));
        all.addAll(ExomemJvm.words(words));
        Process process = new ProcessBuilder(all).redirectErrorStream(true).start();
        try {
            process.getOutputStream().close();
            String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (!process.waitFor(60, TimeUnit.SECONDS)) {
                throw new IOException("it does not end");
            }
            return process.exitValue() + " " + said;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } finally {
            process.destroyForcibly();
        }
    }

    /** Gives a file or folder, with its content, to that user. */
    static void give(Path path) throws IOException {
        try (Stream<Path> all = Files.walk(path)) {
            for (Path one : all.toList()) {
                Files.setAttribute(one, "unix:uid", UID);
            }
        }
    }
}
