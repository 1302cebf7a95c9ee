package org.exomem.conform.command;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.serve.Provocation;
import org.exomem.conform.strict.serve.StrictDevice;

/** {@code exomem conform --as-device}: one session as a strict device. */
final class AsDevice {
    private static final Duration TO_REPORT = Duration.ofSeconds(10);

    private final DeviceSpec spec;
    private final Path socket;
    private final Provocation provocation;
    private final Duration limit;
    private final double patience;

    /**
     * @param limit the longest duration of the run
     * @param patience factor for all times after which something counts as missing
     */
    AsDevice(DeviceSpec spec, Path socket, Provocation provocation, Duration limit, double patience) {
        this.spec = spec;
        this.socket = socket;
        this.provocation = provocation;
        this.limit = limit;
        this.patience = patience;
    }

    /** Prints and saves the report of a run. */
    @FunctionalInterface
    interface Reporting {
        /** @return the exit code */
        int show(RunReport report) throws IOException;
    }

    /**
     * Serves a front-end. Shows the report when the front-end ends, when the time is over, or when a user interrupts.
     */
    int run(List<Observation> observations, Streams streams, Reporting reporting) {
        CountDownLatch reported = new CountDownLatch(1);
        try (StrictDevice device = new StrictDevice(socket, spec.offer(), spec.mem(), provocation, patience)) {
            Thread interrupted = new Thread(() -> {
                device.stop();
                await(reported);
            });
            Runtime.getRuntime().addShutdownHook(interrupted);
            try {
                streams.note("listening on " + socket
                        + "; the report is printed when the front-end disconnects, or on Ctrl-C");
                Optional<RunReport> report = device.run(observations, limit);
                if (report.isEmpty()) {
                    throw new CommandFailure(ExitCode.UNAVAILABLE, "no front-end connected");
                }
                PrintWriter out = streams.out();
                int code = reporting.show(report.get());
                out.flush();
                return code;
            } finally {
                reported.countDown();
                forget(interrupted);
            }
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.UNAVAILABLE, "no session with a front-end: " + e.getMessage());
        }
    }

    private static void await(CountDownLatch reported) {
        try {
            if (!reported.await(TO_REPORT.toSeconds(), TimeUnit.SECONDS)) {
                return;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void forget(Thread hook) {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The hook runs already: the process is about to end.
        }
    }
}
