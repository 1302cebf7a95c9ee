package org.exomem.conform.checks.hostile;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conformance.guest.GuestRam;

/**
 * Resources that sessions leave in the back-end's process. These checks should run last, so that they also see the
 * leaks of the other checks.
 */
public final class LeakChecks {
    private static final int WARM_UP = 10;
    private static final int SESSIONS = 40;
    /** Enough rounds for compilers and garbage collectors to settle. */
    private static final int MOST_ROUNDS = 16;
    /** The allowed growth of memory, in bytes per session; an allocator may cause less than that. */
    private static final long BYTES = 4096;

    public static final List<Check> ALL = List.of(
            Check.of("robust.leak.1", SESSIONS + " sessions leave no file descriptor open", LeakChecks::descriptors),
            Check.of("robust.leak.3", "a session leaves no mapping of its guest memory", LeakChecks::mappings),
            Check.of("robust.leak.2", "sessions do not make the process grow without limit", LeakChecks::memory));

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private LeakChecks() {}

    /** The back-end's process, if it survives its sessions. */
    private record Process(Path proc) {
        static Process of(Trial trial) {
            OptionalLong pid = trial.backEnd().pid();
            if (pid.isEmpty()) {
                throw new Skipped("the back-end's process is not known");
            }
            if (pid.getAsLong() == ProcessHandle.current().pid()) {
                throw new Skipped("the back-end runs in the process of the runner");
            }
            return new Process(Path.of("/proc", Long.toString(pid.getAsLong())));
        }

        int descriptors() throws IOException {
            try (Stream<Path> fds = Files.list(proc.resolve("fd"))) {
                return (int) fds.count();
            } catch (IOException e) {
                throw unseen(e);
            }
        }

        long guestMappings() throws IOException {
            try (Stream<String> maps = Files.lines(proc.resolve("maps"))) {
                return maps.filter(line -> line.contains("memfd:guest-ram")).count();
            } catch (IOException e) {
                throw unseen(e);
            }
        }

        /** The process's private memory, in bytes. Shared memory, such as the guest's, does not count. */
        long memory() throws IOException {
            try (Stream<String> status = Files.lines(proc.resolve("status"))) {
                return status.filter(line -> line.startsWith("RssAnon:"))
                        .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) << 10)
                        .findFirst()
                        .orElseThrow(() -> new Skipped("the memory of the back-end's process is not known"));
            } catch (IOException e) {
                throw unseen(e);
            }
        }

        private static Skipped unseen(IOException e) {
            return new Skipped("the back-end's process can't be inspected: " + e.getMessage());
        }
    }

    /** Runs sessions one after the other, all served by that process. */
    private static void sessions(Trial trial, GuestRam ram, int count) throws IOException {
        for (int i = 0; i < count; i++) {
            Attack.served(trial, ram, "").device().close();
        }
    }

    private static Process warmedUp(Trial trial, GuestRam ram) throws IOException {
        sessions(trial, ram, 1);
        Process process = Process.of(trial);
        sessions(trial, ram, WARM_UP);
        expectSame(trial, process);
        return process;
    }

    private static void expectSame(Trial trial, Process process) {
        OptionalLong now = trial.backEnd().pid();
        if (now.isEmpty() || !process.proc().endsWith(Long.toString(now.getAsLong()))) {
            throw new Skipped("the back-end's process ends with its session");
        }
    }

    private static void descriptors(Trial trial) throws Exception {
        GuestRam ram = trial.closeLater(Attack.memory(trial));
        Process process = warmedUp(trial, ram);
        int before = settledDescriptors(trial, process);
        sessions(trial, ram, SESSIONS);
        expectSame(trial, process);
        int after = settledDescriptors(trial, process, before);
        trial.expect(
                after <= before,
                "the process has " + after + " open descriptors after " + SESSIONS + " more sessions, and had "
                        + before);
    }

    /**
     * The smallest number of descriptors within a while after a session: the back-end cleans up after the end of a
     * session.
     */
    private static int settledDescriptors(Trial trial, Process process) throws IOException {
        long end = System.nanoTime() + trial.limits().quiet().toNanos();
        int least = Integer.MAX_VALUE;
        while (System.nanoTime() < end) {
            least = Math.min(least, process.descriptors());
        }
        return least;
    }

    /** Like {@link #settledDescriptors(Trial, Process)}, but waits until there are no more than {@code wanted}. */
    private static int settledDescriptors(Trial trial, Process process, int wanted) throws IOException {
        long end = System.nanoTime() + trial.limits().answer().toNanos();
        int now = process.descriptors();
        while (now > wanted && System.nanoTime() < end) {
            now = process.descriptors();
        }
        return now;
    }

    private static void mappings(Trial trial) throws Exception {
        GuestRam ram = trial.closeLater(Attack.memory(trial));
        Session session = Attack.served(trial, ram, "");
        Process process = Process.of(trial);
        long during = process.guestMappings();
        session.device().close();
        sessions(trial, ram, WARM_UP);
        expectSame(trial, process);
        long end = System.nanoTime() + trial.limits().answer().toNanos();
        long left = process.guestMappings();
        while (left > 0 && System.nanoTime() < end) {
            left = process.guestMappings();
        }
        trial.expect(
                left == 0,
                "the process has " + left + " mappings of guest memory when no session is left; in one session it had "
                        + during);
    }

    private static void memory(Trial trial) throws Exception {
        GuestRam ram = trial.closeLater(Attack.memory(trial));
        Process process = warmedUp(trial, ram);
        long first = process.memory();
        long before = first;
        for (int round = 0; round < MOST_ROUNDS; round++) {
            sessions(trial, ram, SESSIONS);
            expectSame(trial, process);
            long now = process.memory();
            trial.transcript().say(SESSIONS + " more sessions: " + (now >> 10) + " KiB");
            if (now - before < SESSIONS * BYTES) {
                return;
            }
            before = now;
        }
        throw new Unmet("the process grew by " + (before - first >> 10) + " KiB in " + MOST_ROUNDS * SESSIONS
                + " sessions, and by more than " + (BYTES >> 10) + " KiB a session in each round of " + SESSIONS
                + "; a heap that is not yet collected looks the same, so start a garbage-collected process"
                + " with a small heap");
    }
}
