package org.exomem.vmm;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.exomem.conform.report.TerminalReport;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.strict.observers.Observers;
import org.exomem.conform.strict.scene.MemState;
import org.exomem.conform.strict.scene.Offer;
import org.exomem.conform.strict.serve.Provocation;
import org.exomem.conform.strict.serve.StrictDevice;
import org.exomem.reference.Catalogue;

/** A strict device, as in {@code exomem conform --as-device}, with a thread and a socket of its own. */
final class StrictRun implements AutoCloseable {
    /** The number of queues of a strict balloon. */
    static final int BALLOON_QUEUES = 5;

    /** The size of a memory device's region in bytes. */
    static final long REGION = 512L << 20;

    private static final long BLOCK = 4L << 20;
    private static final Duration LONGEST = Duration.ofMinutes(10);
    private static final Duration TO_REPORT = Duration.ofMinutes(1);

    private final Path folder;
    private final StrictDevice device;
    private final CompletableFuture<Optional<RunReport>> run = new CompletableFuture<>();

    private StrictRun(Path folder, StrictDevice device) {
        this.folder = folder;
        this.device = device;
        Thread.ofPlatform().daemon().name("strict-device").start(() -> {
            try {
                run.complete(device.run(Observers.all(), LONGEST));
            } catch (IOException | RuntimeException | Error e) {
                run.completeExceptionally(e);
            }
        });
    }

    static StrictRun of(Offer offer, Provocation provocation) throws IOException {
        Path folder = Files.createTempDirectory("exomem-strict");
        MemState mem = new MemState(QemuCommand.REGIONS, REGION, BLOCK);
        return new StrictRun(folder, new StrictDevice(folder.resolve("s"), offer, mem, provocation, 1));
    }

    Path socket() {
        return device.socket();
    }

    /** True if the device has no more goals for the driver, or the session has ended. */
    boolean isScriptDone() {
        return device.isScriptDone() || run.isDone();
    }

    /** Waits for the end of the session, and returns the report. */
    RunReport report() throws IOException {
        try {
            return run.get(TO_REPORT.toSeconds(), TimeUnit.SECONDS)
                    .orElseThrow(() -> new IOException("no front-end connected"));
        } catch (ExecutionException | TimeoutException e) {
            throw new IOException("no report", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the report is made", e);
        }
    }

    /** The requirements of all results with this verdict. */
    SortedSet<String> requirements(Verdict verdict) throws IOException {
        SortedSet<String> all = new TreeSet<>();
        for (CheckResult result : report().results()) {
            if (result.verdict() == verdict) {
                all.addAll(result.check().requirements());
            }
        }
        return all;
    }

    /** The report for people, for the message of a failed test. */
    String told() throws IOException {
        return TerminalReport.failures(report(), Catalogue.load()) + TerminalReport.summary(report());
    }

    @Override
    public void close() throws IOException {
        device.stop();
        run.handle((report, failure) -> report).join();
        device.close();
        Files.deleteIfExists(folder);
    }
}
