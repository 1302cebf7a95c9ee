package org.exomem.backend.demo;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Deque;
import java.util.concurrent.ConcurrentLinkedDeque;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.control.ControlClient;
import org.exomem.backend.control.Json;
import org.jspecify.annotations.Nullable;

/**
 * A guest with an embedded VMM that moves to another host and back. A host is an exomem that serves the VM, and the VMMs
 * that run it or wait for it; the second one is started here.
 */
final class DemoMigration implements AutoCloseable {
    /** The first host. */
    static final String HERE = "here";

    private static final String THERE = "there";
    private static final String VM = "traveller";
    private static final long MIB = 1 << 20;
    private static final long MEMORY = 512 * MIB;
    private static final long FILLED = 300 * MIB;
    private static final long FREED = 280 * MIB;
    private static final Path SHARED_MEMORY = Path.of("/dev/shm");
    private static final Duration LOOK_AGAIN = Duration.ofMillis(5);
    private static final long LIMIT_NANOS = 20_000_000_000L;

    private final Path folder;
    private final ControlClient here;
    private final Deque<AutoCloseable> open = new ConcurrentLinkedDeque<>();
    private final Thread ending = new Thread(this::end);

    /**
     * What a migration cost.
     *
     * @param bytes of pages that travelled
     * @param millis from its beginning to the guest's running at its end
     * @param text all of it, for people
     */
    record Moved(long bytes, long millis, String text) {}

    /** What runs at both hosts. */
    private record Processes(DemoVmm first, DemoVmm second, DemoVmm third, ControlClient there) {}

    private final Processes processes;

    private DemoMigration(Path folder, ControlClient here) throws IOException {
        this.folder = folder;
        this.here = here;
        // Who interrupts the demo should not be left with its guests, nor with their memory.
        Runtime.getRuntime().addShutdownHook(ending);
        try {
            this.processes = processes();
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    /** Starts the second host, and all VMMs. */
    static DemoMigration start(Path folder, ControlClient here) throws IOException {
        return new DemoMigration(folder, here);
    }

    /** The word that has an exomem serve the VM. */
    static String balloon(Path folder, String host) {
        return "vm=" + VM + ",socket=" + DemoServer.word(socket(folder, host));
    }

    private static Path socket(Path folder, String host) {
        return folder.resolve(host + ".balloon");
    }

    private Processes processes() throws IOException {
        Path memory = folder;
        if (Files.isWritable(SHARED_MEMORY) && free(SHARED_MEMORY) > 2 * MEMORY) {
            memory = Files.createTempDirectory(SHARED_MEMORY, "exomem-demo");
            open.push(deleting(memory));
        }
        // All at once: together they start faster.
        DemoVmm first = vmm(memory, "first", "balloon=" + socket(folder, HERE));
        DemoVmm second = vmm(memory, "second", "incoming=on");
        DemoVmm third = vmm(memory, "third", "incoming=on");
        Path control = folder.resolve(THERE + ".sock");
        open.push(DemoServer.Child.start(control, folder, "--balloon", balloon(folder, THERE)));
        ControlClient there = ControlClient.connect(control);
        open.push(there);
        second.connect().close();
        third.connect().close();
        return new Processes(first, second, third, there);
    }

    private static long free(Path where) throws IOException {
        FileStore store = Files.getFileStore(where);
        return store.getUsableSpace();
    }

    private static AutoCloseable deleting(Path folder) {
        return () -> Demo.delete(folder);
    }

    private DemoVmm vmm(Path memory, String name, String more) throws IOException {
        DemoVmm vmm = DemoVmm.start(folder, memory, name, MEMORY, more);
        open.push(vmm);
        return vmm;
    }

    /** The guest's workload fills memory, and ends. */
    void fill() throws IOException {
        processes.first.execute("x-load", Json.object().put("fill", FILLED).put("free", FREED));
    }

    String describe() {
        return "a guest of " + ByteSize.format(MEMORY) + " has written " + ByteSize.format(FILLED) + ", and uses "
                + ByteSize.format(FILLED - FREED) + " of them";
    }

    /** Moves the guest to the second host, and asks it for no hints. */
    Moved there() throws IOException {
        Moved moved = move(here, processes.first, processes.there, processes.second, false);
        // Its memory is as large as what comes next.
        processes.first.close();
        return moved;
    }

    /** Moves the guest to the first host again, and asks it for hints. */
    Moved back() throws IOException {
        return move(processes.there, processes.second, here, processes.third, true);
    }

    private Moved move(ControlClient from, DemoVmm source, ControlClient to, DemoVmm destination, boolean hints)
            throws IOException {
        Path stream = folder.resolve(destination.qmp().getFileName() + ".stream");
        to.execute(
                "migrate-incoming",
                vm().put("uri", "unix:" + stream)
                        .put("vmm-qmp", destination.qmp().toString()));
        long end = System.nanoTime() + LIMIT_NANOS;
        while (!Files.exists(stream)) {
            to.event(LOOK_AGAIN);
            check(to, end);
        }
        from.execute(
                "migrate",
                vm().put("uri", "unix:" + stream)
                        .put("vmm-qmp", source.qmp().toString())
                        .put("hints", hints));
        JsonNode state = completed(from, end);
        completed(to, end);
        destination.verify();
        long bytes = state.path("pages").path("sent-bytes").asLong();
        long millis = state.path("total-time").asLong();
        return new Moved(
                bytes,
                millis,
                ByteSize.format(bytes / MIB * MIB) + " in " + millis + " ms, paused for "
                        + state.path("downtime").asLong() + " ms");
    }

    private static JsonNode completed(ControlClient host, long end) throws IOException {
        JsonNode state = check(host, end);
        while (!state.path("status").asText().equals("completed")) {
            host.event(LOOK_AGAIN);
            state = check(host, end);
        }
        return state;
    }

    private static JsonNode check(ControlClient host, long end) throws IOException {
        JsonNode state = host.execute("query-migrate", vm());
        if (state.has("error-desc")) {
            throw new DemoFailure(
                    "the guest did not migrate: " + state.path("error-desc").asText());
        }
        if (System.nanoTime() > end) {
            throw new DemoFailure("the guest did not migrate in time: " + state);
        }
        return state;
    }

    private static ObjectNode vm() {
        return Json.object().put("vm", VM);
    }

    /** Ends everything that was started, the last first. */
    @Override
    public void close() throws IOException {
        try {
            Runtime.getRuntime().removeShutdownHook(ending);
        } catch (IllegalStateException e) {
            // The JVM ends: so does everything, there.
            return;
        }
        IOException failure = end();
        if (failure != null) {
            throw failure;
        }
    }

    private @Nullable IOException end() {
        IOException failure = null;
        for (AutoCloseable each = open.poll(); each != null; each = open.poll()) {
            try {
                each.close();
            } catch (Exception e) {
                failure = e instanceof IOException io ? io : new IOException(e);
            }
        }
        return failure;
    }
}
