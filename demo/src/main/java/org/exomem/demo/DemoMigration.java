package org.exomem.demo;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.conformance.guest.GuestRam;

/**
 * A guest with an embedded VMM that moves to another host and back. A host is an exomem that serves the VM, and the
 * VMMs that run it or wait for it. This class starts the second host.
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
    /** Bytes that the guest fills again before it leaves without its memory. */
    private static final long MORE = 100 * MIB;
    /** Bytes a second for the transfer then, as on a network. */
    private static final long NETWORK = 100 * MIB;
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
    private final DemoVmm fourth;
    private final QmpClient there;
    /** The VMM that has the guest after the last migration. */
    private DemoVmm last;

    /** Starts the second host, and all VMMs. */
    DemoMigration(Started started, boolean inThisProcess, Path folder, QmpClient here) throws IOException {
        this.folder = folder;
        this.here = here;
        Path memory = hasRoom(SHARED_MEMORY) ? started.folder(SHARED_MEMORY) : folder;
        // All are started at once, which is faster.
        first = DemoVmm.start(started, folder, memory, "first", MEMORY, "balloon=" + socket(folder, HERE));
        second = DemoVmm.start(started, folder, memory, "second", MEMORY, "incoming=on");
        third = DemoVmm.start(started, folder, memory, "third", MEMORY, "incoming=on");
        // It hands over the descriptors with which its guest waits for memory.
        fourth = DemoVmm.start(started, folder, memory, "fourth", MEMORY, "incoming=on", "handover=on");
        last = third;
        Path control = folder.resolve(THERE + ".sock");
        DemoServer.start(
                started,
                inThisProcess,
                control,
                folder,
                new DemoServer.Devices(
                        List.of(balloon(folder, THERE)), List.of(), Optional.of(folder.resolve("state"))));
        there = QmpClient.connect(control);
    }

    /** There are never more than two guests with memory, and one of them has no more than it uses. */
    private static boolean hasRoom(Path where) throws IOException {
        return Files.isWritable(where) && Files.getFileStore(where).getUsableSpace() > 2 * MEMORY;
    }

    /**
     * The option that makes an exomem serve the VM. It excludes reports, which return free pages to the host at any
     * time: the first migration would find more or fewer of them.
     */
    static String balloon(Path folder, String host) {
        return "vm=" + VM + ",free-page-reporting=off,socket=" + DemoServer.word(socket(folder, host));
    }

    private static Path socket(Path folder, String host) {
        return folder.resolve(host + ".balloon");
    }

    /** The guest's workload fills memory and ends; a small one continues. Returns text for people. */
    String work() throws IOException {
        first.execute(
                "x-load", Json.object().put("fill", FILLED).put("free", FREED).put("writes", WRITES));
        second.connect().close();
        third.connect().close();
        fourth.connect().close();
        return "another guest of " + ByteSize.format(MEMORY) + " fills " + ByteSize.format(FILLED) + ", frees "
                + ByteSize.format(FREED) + ", and keeps writing to the rest";
    }

    /** Moves the guest to the second host, without a request for its free pages. */
    Moved there() throws IOException {
        Moved moved = move(here, first, there, second, false);
        // Its memory is as large as that of the next VMM.
        first.close();
        return moved;
    }

    /** Moves the guest back to the first host, with a request for a bitmap of its free pages. */
    Moved back() throws IOException {
        Moved moved = move(there, second, here, third, true);
        second.close();
        return moved;
    }

    /**
     * Moves the guest to the second host once more, where it runs before any of its memory has arrived (post-copy).
     *
     * @return what happened, in lines for people
     * @throws DemoFailure if the guest's memory arrived with wrong content
     */
    List<String> postCopy() throws IOException {
        third.execute("x-load", Json.object().put("fill", MORE));
        Path stream = folder.resolve("owed.stream");
        there.execute("migrate-incoming", uri(stream, fourth));
        long end = System.nanoTime() + LIMIT_NANOS;
        // Between two processes of one host, all pages would arrive before the guest has touched any.
        here.execute(
                "migrate",
                uri(stream, third)
                        .put("hints", "none")
                        .put("post-copy-after-rounds", 0)
                        .put("max-bandwidth", NETWORK));
        JsonNode state = ended(here, end);
        String error = state.path("error-desc").asText();
        if (error.contains("POSTCOPY")) {
            there.execute("migrate-cancel", vm());
            return List.of("not possible on this host: exomem can't get a userfaultfd of the VMM (" + error + ")");
        }
        if (!error.isEmpty()) {
            throw notMigrated(error);
        }
        JsonNode arrived = completed(there, end);
        last = fourth;
        long pages = state.path("pages").path("owed").asLong();
        long faults = arrived.path("owed").path("faults").asLong();
        if (pages * GuestRam.PAGE < MORE || faults == 0) {
            throw new DemoFailure("the guest had all of its memory before it ran: " + arrived);
        }
        return List.of(
                "to the second exomem again, before its memory: the guest runs there after a pause of "
                        + state.path("downtime").asLong() + " ms",
                ByteSize.format(pages * GuestRam.PAGE) + " were missing then, and arrived at "
                        + ByteSize.format(NETWORK) + "/s after the " + faults
                        + " pages that the guest waited for; all had arrived after "
                        + state.path("total-time").asLong() + " ms",
                "the guest reads its " + ByteSize.format(fourth.verify()) + " there unchanged");
    }

    /**
     * Makes a template of the guest, which continues to run.
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

    /** Makes the guest compare its memory with what it wrote. */
    void verify() throws IOException {
        last.verify();
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

    /** @throws DemoFailure if the migration failed, or the time is over */
    private static JsonNode completed(QmpClient host, long end) throws IOException {
        JsonNode state = ended(host, end);
        if (state.has("error-desc")) {
            throw notMigrated(state.path("error-desc").asText());
        }
        return state;
    }

    /** Waits until the migration is completed, or reports an error. */
    private static JsonNode ended(QmpClient host, long end) throws IOException {
        while (true) {
            JsonNode state = host.execute("query-migrate", vm());
            if (state.path("status").asText().equals("completed") || state.has("error-desc")) {
                return state;
            }
            if (System.nanoTime() > end) {
                throw new DemoFailure("the guest did not migrate in time: " + state);
            }
            host.event(LOOK_AGAIN);
        }
    }

    private static DemoFailure notMigrated(String why) {
        return new DemoFailure("the guest did not migrate: " + why);
    }

    private static ObjectNode vm() {
        return Json.object().put("vm", VM);
    }

    @Override
    public void close() throws IOException {
        there.close();
    }
}
