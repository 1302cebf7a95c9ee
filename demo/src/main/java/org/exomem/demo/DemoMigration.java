package org.exomem.demo;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;

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
    /** Pages a second that the guest writes all the time. */
    private static final long WRITES = 1000;

    private static final Path SHARED_MEMORY = Path.of("/dev/shm");
    private static final Duration LOOK_AGAIN = Duration.ofMillis(5);
    private static final long LIMIT_NANOS = 60_000_000_000L;

    private final Path folder;
    private final QmpClient here;
    private final DemoVmm first;
    private final DemoVmm second;
    private final DemoVmm third;
    private final QmpClient there;

    /** Starts the second host, and all VMMs. */
    DemoMigration(Started started, boolean inThisProcess, Path folder, QmpClient here) throws IOException {
        this.folder = folder;
        this.here = here;
        Path memory = hasRoom(SHARED_MEMORY) ? started.folder(SHARED_MEMORY) : folder;
        // All at once: together they start faster.
        first = DemoVmm.start(started, folder, memory, "first", MEMORY, "balloon=" + socket(folder, HERE));
        second = DemoVmm.start(started, folder, memory, "second", MEMORY, "incoming=on");
        third = DemoVmm.start(started, folder, memory, "third", MEMORY, "incoming=on");
        Path control = folder.resolve(THERE + ".sock");
        DemoServer.start(
                started,
                inThisProcess,
                control,
                folder,
                new DemoServer.Devices(List.of(balloon(folder, THERE)), List.of()));
        there = QmpClient.connect(control);
    }

    /** There are never more than two guests with memory, one of which has no more than it uses. */
    private static boolean hasRoom(Path where) throws IOException {
        return Files.isWritable(where) && Files.getFileStore(where).getUsableSpace() > 2 * MEMORY;
    }

    /**
     * The option that has an exomem serve the VM. Without reports, which return free pages to the host sooner or later: the
     * first migration would find more or less of them.
     */
    static String balloon(Path folder, String host) {
        return "vm=" + VM + ",free-page-reporting=off,socket=" + DemoServer.word(socket(folder, host));
    }

    private static Path socket(Path folder, String host) {
        return folder.resolve(host + ".balloon");
    }

    /** The guest's workload fills memory, and ends; something small goes on. Says it for people. */
    String work() throws IOException {
        first.execute(
                "x-load", Json.object().put("fill", FILLED).put("free", FREED).put("writes", WRITES));
        second.connect().close();
        third.connect().close();
        return "another guest of " + ByteSize.format(MEMORY) + " fills " + ByteSize.format(FILLED) + ", frees "
                + ByteSize.format(FREED) + ", and goes on writing the rest";
    }

    /** Moves the guest to the second host, and does not ask it for its free pages. */
    Moved there() throws IOException {
        Moved moved = move(here, first, there, second, false);
        // Its memory is as large as what comes next.
        first.close();
        return moved;
    }

    /** Moves the guest to the first host again, and asks it for a bitmap of its free pages. */
    Moved back() throws IOException {
        return move(there, second, here, third, true);
    }

    /**
     * Makes a template of the guest, which runs on.
     *
     * @return the folder of the template
     */
    Path template() throws IOException {
        Path template = third.ram().resolveSibling("template");
        long end = System.nanoTime() + LIMIT_NANOS;
        here.execute(
                "save",
                vm().put("folder", template.toString())
                        .put("template", true)
                        .put("hints", "bitmap")
                        .put("vmm-qmp", third.qmp().toString()));
        completed(here, end);
        return template;
    }

    /** Has the guest compare its memory with what it wrote. */
    void verify() throws IOException {
        third.verify();
    }

    private Moved move(QmpClient from, DemoVmm source, QmpClient to, DemoVmm destination, boolean asked)
            throws IOException {
        Path stream = folder.resolve(destination.qmp().getFileName() + ".stream");
        to.execute("migrate-incoming", uri(stream, destination));
        long end = System.nanoTime() + LIMIT_NANOS;
        from.execute("migrate", uri(stream, source).put("hints", asked ? "bitmap" : "none"));
        JsonNode state = completed(from, end);
        completed(to, end);
        return new Moved(state, destination.verify());
    }

    private static ObjectNode uri(Path stream, DemoVmm vmm) {
        return vm().put("uri", "unix:" + stream).put("vmm-qmp", vmm.qmp().toString());
    }

    private static JsonNode completed(QmpClient host, long end) throws IOException {
        JsonNode state = state(host, end);
        while (!state.path("status").asText().equals("completed")) {
            host.event(LOOK_AGAIN);
            state = state(host, end);
        }
        return state;
    }

    /** @throws DemoFailure if the migration failed, or the time is over */
    private static JsonNode state(QmpClient host, long end) throws IOException {
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

    @Override
    public void close() throws IOException {
        there.close();
    }
}
