package org.exomem.demo;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.embedded.EmbeddedVmm;

/** An embedded VMM in a process of its own, which shares its log of the guest's writes. */
final class DemoVmm implements AutoCloseable {
    private static final long START_LIMIT_NANOS = 60_000_000_000L;

    private final Process process;
    private final Path ram;
    private final Path qmp;

    private DemoVmm(Process process, Path ram, Path qmp) {
        this.process = process;
        this.ram = ram;
        this.qmp = qmp;
    }

    /**
     * Starts a VMM; does not wait for it.
     *
     * @param folder for its QMP socket
     * @param memory folder for the file of the guest's memory
     * @param more words of {@link EmbeddedVmm}
     */
    static DemoVmm start(Started started, Path folder, Path memory, String name, long size, String... more)
            throws IOException {
        Path ram = memory.resolve(name + ".ram");
        Path qmp = folder.resolve(name + ".qmp");
        List<String> words = new ArrayList<>(List.of(
                "ram=" + ram, "size=" + size, "qmp=" + qmp, "hints=bitmap", "log=" + memory.resolve(name + ".log")));
        words.addAll(List.of(more));
        ProcessBuilder vmm = ChildJvm.of(EmbeddedVmm.class, words.toArray(String[]::new))
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT);
        return started.add(() -> new DemoVmm(vmm.start(), ram, qmp));
    }

    /**
     * Starts a VMM whose guest has the memory of a template; does not wait for it.
     *
     * @param folder for its QMP socket
     * @param template the file of the memory, which is not changed
     */
    static DemoVmm startClone(Started started, Path folder, Path template, String name, long size) throws IOException {
        Path qmp = folder.resolve(name + ".qmp");
        ProcessBuilder vmm = ChildJvm.of(
                        EmbeddedVmm.class, "ram=" + template, "size=" + size, "qmp=" + qmp, "incoming=on", "clone=on")
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT);
        // The end of the demo must not delete the template.
        return started.add(() -> new DemoVmm(vmm.start(), folder.resolve(name + ".ram"), qmp));
    }

    Path qmp() {
        return qmp;
    }

    int pid() {
        return Math.toIntExact(process.pid());
    }

    /** Waits until the VMM accepts QMP connections, and connects. */
    QmpClient connect() throws IOException {
        long begin = System.nanoTime();
        while (true) {
            if (Files.exists(qmp)) {
                try {
                    return QmpClient.connect(qmp);
                } catch (IOException e) {
                    // The VMM does not listen yet.
                }
            }
            try {
                if (process.waitFor(2, TimeUnit.MILLISECONDS) || System.nanoTime() - begin > START_LIMIT_NANOS) {
                    throw new DemoFailure("an embedded VMM did not start");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new DemoFailure("interrupted");
            }
        }
    }

    JsonNode execute(String command, ObjectNode arguments) throws IOException {
        try (QmpClient client = connect()) {
            return client.execute(command, arguments);
        }
    }

    /**
     * Makes the guest read all memory that it uses, and compare it with what it wrote.
     *
     * @return the number of bytes that are equal
     * @throws DemoFailure if not all are
     */
    long verify() throws IOException {
        JsonNode verified;
        try {
            verified = execute("x-verify", Json.object());
        } catch (IOException e) {
            // The VMM ends when its guest's memory is wrong, possibly before it answers.
            throw new DemoFailure("the guest's memory could not be verified: " + e.getMessage(), e);
        }
        long pages = verified.path("checked").asLong();
        long wrong = verified.path("wrong").asLong(-1);
        if (wrong != 0 || pages == 0) {
            throw new DemoFailure(
                    "the guest's memory has changed: " + wrong + " of " + pages + " pages that it uses are wrong: "
                            + verified.path("first-wrong").asText());
        }
        return pages * GuestRam.PAGE;
    }

    /** The file of the guest's memory. */
    Path ram() {
        return ram;
    }

    /** Ends the VMM, and deletes the file of its guest's memory. */
    @Override
    public void close() throws IOException {
        process.destroy();
        ChildJvm.awaitEnd(process);
        Files.deleteIfExists(ram);
    }
}
