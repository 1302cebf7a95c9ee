package org.exomem.conform.strict;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.observe.Observer;
import org.exomem.conform.strict.observe.Tally;
import org.exomem.conform.strict.observers.Observers;
import org.exomem.conform.strict.scene.MemState;
import org.exomem.conform.strict.scene.Offer;
import org.exomem.conform.strict.serve.Provocation;
import org.exomem.conform.strict.serve.StrictDevice;

/** A strict device in a thread of its own, and its findings so far. */
final class WatchedDevice implements AutoCloseable {
    static final long MIB = 1 << 20;
    static final long ADDRESS = 16 * MIB;
    static final long BLOCK = MIB;
    private static final long REGION = 32 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private final StrictDevice device;
    private final CompletableFuture<Optional<RunReport>> run = new CompletableFuture<>();
    private final Set<String> broken = ConcurrentHashMap.newKeySet();

    WatchedDevice(Path socket, Offer offer, Provocation provocation, double patience) throws IOException {
        device = new StrictDevice(socket, offer, new MemState(ADDRESS, REGION, BLOCK), provocation, patience);
        Thread.ofPlatform().daemon().name("strict-device").start(() -> {
            try {
                run.complete(
                        device.run(Observers.all().stream().map(this::noting).toList(), LIMIT));
            } catch (IOException | RuntimeException | Error e) {
                run.completeExceptionally(e);
            }
        });
    }

    /** The same observation; a violation is also known while the device runs. */
    private Observation noting(Observation observation) {
        return new Observation(observation.requirements(), observation.name(), observation.device(), () -> {
            Observer observer = observation.observer().get();
            return (event, scene, tally) -> observer.see(event, scene, new Tally() {
                @Override
                public void kept() {
                    tally.kept();
                }

                @Override
                public void broken(String what) {
                    tally.broken(what);
                    broken.addAll(observation.requirements());
                }
            });
        });
    }

    boolean isBroken(String requirement) {
        return broken.contains(requirement);
    }

    boolean isScriptDone() {
        return device.isScriptDone();
    }

    /** Waits for the end of the session, and returns the report. */
    RunReport report() throws Exception {
        return run.get(LIMIT.toSeconds(), TimeUnit.SECONDS).orElseThrow();
    }

    /** The requirements with a verdict. */
    List<String> requirements(Verdict verdict) throws Exception {
        return report().results().stream()
                .filter(result -> result.verdict() == verdict)
                .map(CheckResult::check)
                .map(check -> check.requirement())
                .toList();
    }

    @Override
    public void close() throws Exception {
        device.stop();
        run.handle((report, failure) -> report).get(LIMIT.toSeconds(), TimeUnit.SECONDS);
        device.close();
    }
}
