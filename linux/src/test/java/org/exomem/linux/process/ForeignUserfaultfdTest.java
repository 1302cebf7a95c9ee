package org.exomem.linux.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PageFaults;
import org.exomem.linux.Userfaultfd;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tests against a program of the host that sleeps, which must continue its sleep after an interruption. */
class ForeignUserfaultfdTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final int MOST_STEPS = 64;

    private static ConditionFactory await() {
        return Awaitility.await().atMost(LIMIT).pollInterval(Duration.ofMillis(2));
    }

    /**
     * A process that sleeps, and its state from outside. It is not a child of this one: the JDK waits for its children,
     * and would receive the stop of a child instead of the process that traces it.
     */
    private record Sleeper(int pid) implements AutoCloseable {
        static Sleeper start(String program) throws IOException {
            return start(program, "");
        }

        /** @param before what the shell does first */
        static Sleeper start(String program, String before) throws IOException {
            assumeThat(System.getProperty("os.arch")).isEqualTo("amd64");
            Process shell = new ProcessBuilder("sh", "-c", before + program + " >/dev/null 2>&1 & echo $!").start();
            try (BufferedReader output = shell.inputReader()) {
                Sleeper sleeper = new Sleeper(Integer.parseInt(output.readLine().strip()));
                sleeper.awaitSleep();
                return sleeper;
            }
        }

        /** The number, the arguments, the stack and the place of its present system call. */
        String call() throws IOException {
            return Files.readString(Path.of("/proc", Integer.toString(pid()), "syscall"));
        }

        Map<Integer, String> descriptors() throws IOException {
            return OpenFiles.of(pid()).names();
        }

        void awaitSleep() {
            await().until(() -> {
                ProcessStatus status = ProcessStatus.of(pid());
                return !status.name().equals("sh")
                        && call().contains(" ")
                        && status.state() == 'S'
                        && !call().startsWith("running");
            });
        }

        @Override
        public void close() {
            kill("KILL");
        }

        void kill(String signal) {
            try {
                new ProcessBuilder("kill", "-" + signal, Integer.toString(pid))
                        .start()
                        .waitFor();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** A failure here would be noticed only by processes that stop longer. */
    @Test
    void whatIsDoneWhileAProcessStandsStillIsGoneThroughBefore() throws IOException {
        Rehearsal.rehearse();
    }

    @Test
    @Tag("VMM-17")
    void processThatMadeOneSleepsOnWithTheDescriptorsThatItHad() throws IOException {
        try (Sleeper sleeper = Sleeper.start("sleep 1000");
                ProcessFd process = ProcessFd.open(sleeper.pid())) {
            Map<Integer, String> before = sleeper.descriptors();
            ForeignUserfaultfd.Fetched fetched = ForeignUserfaultfd.fetch(process);
            try (Userfaultfd userfaultfd = Userfaultfd.of(fetched.fd(), EnumSet.allOf(Userfaultfd.Feature.class))) {
                assertThat(fetched.fd().description()).isEqualTo("anon_inode:[userfaultfd]");
                assertThatThrownBy(() -> userfaultfd.register(0, 4096, EnumSet.of(Userfaultfd.Mode.MISSING)))
                        .isInstanceOf(LinuxException.class);
                sleeper.awaitSleep();
                assertThat(sleeper.descriptors()).isEqualTo(before);
                assertThat(process.status().tracer()).isZero();
            }
        }
    }

    @Test
    @Tag("MEM-GUARD-7")
    void oneThatIsLeftInAProcessIsFoundThereAndCanBeClosedThere() throws IOException {
        try (Sleeper sleeper = Sleeper.start("sleep 1000");
                ProcessFd process = ProcessFd.open(sleeper.pid())) {
            Map<Integer, String> before = sleeper.descriptors();
            ForeignUserfaultfd.Left left = ForeignUserfaultfd.leave(process);
            Userfaultfd.of(left.fd(), PageFaults.FEATURES).close();
            sleeper.awaitSleep();

            assertThat(ForeignUserfaultfd.left(process)).singleElement().satisfies(found -> {
                assertThat(found.number()).isEqualTo(left.number());
                try (PageFaults faults = new PageFaults(Userfaultfd.inUse(found.fd()))) {
                    assertThat(faults.take()).isZero();
                }
            });

            assertThat(ForeignUserfaultfd.left(process, PageFaults.FEATURES))
                    .singleElement()
                    .satisfies(found -> found.fd().close());
            assertThat(ForeignUserfaultfd.left(process, EnumSet.noneOf(Userfaultfd.Feature.class)))
                    .isEmpty();

            ForeignUserfaultfd.close(process, left.number());
            sleeper.awaitSleep();
            assertThat(sleeper.descriptors()).isEqualTo(before);
            // Not the descriptor of another process that has that id by now.
            ForeignUserfaultfd.close(process, 0);
            assertThat(sleeper.descriptors()).isEqualTo(before);
        }
    }

    @Test
    @Tag("VMM-17")
    void sleepThatWasInterruptedAThousandTimesEndsWhenItShould() throws Exception {
        try (Sleeper sleeper = Sleeper.start("sleep 3");
                ProcessFd process = ProcessFd.open(sleeper.pid())) {
            long start = System.nanoTime();
            int times = 0;
            while (times < 1000
                    && System.nanoTime() - start < Duration.ofMillis(1500).toNanos()) {
                ForeignUserfaultfd.fetch(process).fd().close();
                times++;
            }
            assertThat(times).isGreaterThan(10);
            assertThat(process.isAlive()).isTrue();
            await().until(() -> !process.isAlive());
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isBetween(Duration.ofMillis(1500), LIMIT);
        }
    }

    @Test
    @Tag("VMM-18")
    void failureAtAnyStepLeavesTheProcessAsItWas() throws IOException {
        try (Sleeper sleeper = Sleeper.start("sleep 1000");
                ProcessFd process = ProcessFd.open(sleeper.pid())) {
            Map<Integer, String> before = sleeper.descriptors();
            String place = place(sleeper.call());
            FailingTracing tracing;
            int step = 0;
            do {
                step++;
                tracing = new FailingTracing(step, false);
                try {
                    ForeignUserfaultfd.fetch(process, tracing).fd().close();
                } catch (IOException e) {
                    assertThat(e).hasMessageContaining("failed on purpose");
                }
                // The kernel ends the trace when the tracing thread has ended.
                await().until(() -> process.status().tracer() == 0);
                sleeper.awaitSleep();
                assertThat(sleeper.descriptors())
                        .as("after step %s failed", step)
                        .isEqualTo(before);
                assertThat(place(sleeper.call()))
                        .as("after step %s failed", step)
                        .isEqualTo(place);
            } while (tracing.hasFailed());
            assertThat(step).isBetween(20, MOST_STEPS);
        }
    }

    /** A program that waits in a call which may return early, like QEMU's main thread. */
    @Test
    @Tag("VMM-18")
    void processLivesOnWhenWhoeverAttachedToItIsKilledAtAnyStep(@TempDir Path folder) throws Exception {
        Path fifo = folder.resolve("fifo");
        assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor())
                .isZero();
        FailingTracing tracing;
        int step = 0;
        do {
            step++;
            try (Sleeper reader = Sleeper.start("bash -c 'while :; do read -t 1000; done' 0<>" + fifo);
                    ProcessFd process = ProcessFd.open(reader.pid())) {
                tracing = new FailingTracing(step, true);
                try {
                    ForeignUserfaultfd.fetch(process, tracing).fd().close();
                } catch (IOException e) {
                    assertThat(e).hasMessageContaining("failed on purpose");
                }
                await().until(() -> process.status().tracer() == 0);
                reader.awaitSleep();
                assertThat(process.isAlive())
                        .as("after it was killed at step %s", step)
                        .isTrue();
            }
        } while (tracing.hasFailed());
        assertThat(step).isBetween(20, MOST_STEPS);
    }

    /**
     * The last two of its numbers are the stack and the place. The time that it sleeps for has another form after an
     * interruption.
     */
    private static String place(String call) {
        String[] numbers = call.strip().split(" ");
        return numbers[numbers.length - 2] + " " + numbers[numbers.length - 1];
    }

    @Test
    void processThatIsStoppedIsLeftSo() throws Exception {
        try (Sleeper sleeper = Sleeper.start("sleep 1000");
                ProcessFd process = ProcessFd.open(sleeper.pid())) {
            sleeper.kill("STOP");
            await().until(() -> process.status().isStopped());
            assertThatThrownBy(() -> ForeignUserfaultfd.fetch(process)).hasMessageContaining("is stopped by signal 19");
            await().until(() -> process.status().tracer() == 0);
            assertThat(process.status().isStopped()).isTrue();
        }
    }

    @Test
    void processThatHasEndedIsSaidToHaveEnded() throws Exception {
        try (Sleeper sleeper = Sleeper.start("sleep 1000");
                ProcessFd process = ProcessFd.open(sleeper.pid())) {
            assertThat(process.isAlive()).isTrue();
            sleeper.kill("KILL");
            await().until(() -> !process.isAlive());
            assertThatThrownBy(() -> ForeignUserfaultfd.fetch(process)).isInstanceOf(IOException.class);
            assertThatThrownBy(() -> process.fetch(0))
                    .isInstanceOfSatisfying(
                            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ESRCH));
        }
    }

    @Test
    @Tag("VMM-16")
    void processThatHasTheNumberOfTheOneThatWasMeantIsLeftAlone() throws Exception {
        try (Sleeper sleeper = Sleeper.start("sleep 1000");
                ProcessFd process = ProcessFd.open(sleeper.pid())) {
            sleeper.kill("KILL");
            try (Sleeper another = NextPid.attempt(
                    sleeper.pid(), () -> Sleeper.start("sleep 1000", NextPid.command(sleeper.pid())), Sleeper::pid)) {
                Map<Integer, String> before = another.descriptors();
                String call = another.call();
                String ended = "process " + sleeper.pid() + " has ended";
                assertThatThrownBy(() -> ForeignUserfaultfd.fetch(process)).hasMessage(ended);
                assertThatThrownBy(() -> ForeignUserfaultfd.leave(process)).hasMessage(ended);
                assertThat(another.call()).as("it was not even interrupted").isEqualTo(call);
                assertThat(another.descriptors()).isEqualTo(before);
            }
        }
    }

    @Test
    @Tag("VMM-16")
    void processThatGetsTheNumberOfTheOneThatIsBeingAttachedToIsLetGo() throws Exception {
        NextPid.assumePossible();
        try (Sleeper sleeper = Sleeper.start("sleep 1000");
                ProcessFd process = ProcessFd.open(sleeper.pid())) {
            AtomicReference<Sleeper> another = new AtomicReference<>();
            FailingTracing tracing = new FailingTracing(MOST_STEPS, false) {
                @Override
                public void seize(int thread) throws LinuxException {
                    sleeper.kill("KILL");
                    try {
                        another.set(NextPid.attempt(
                                thread, () -> Sleeper.start("sleep 1000", NextPid.command(thread)), Sleeper::pid));
                    } catch (Exception e) {
                        throw new AssertionError(e);
                    }
                    super.seize(thread);
                }
            };
            try {
                assertThatThrownBy(() -> ForeignUserfaultfd.fetch(process, tracing))
                        .hasMessage(process + " has ended");
                Sleeper alive = another.get();
                await().until(() -> ProcessStatus.of(alive.pid()).tracer() == 0);
                assertThat(alive.descriptors()).doesNotContainValue("anon_inode:[userfaultfd]");
                alive.awaitSleep();
            } finally {
                if (another.get() != null) {
                    another.get().close();
                }
            }
        }
    }

    @Test
    void processWithADebuggerIsLeftToIt() throws IOException {
        try (Sleeper sleeper = Sleeper.start("sleep 1000");
                ProcessFd process = ProcessFd.open(sleeper.pid());
                // A thread that traces another, as a debugger does.
                Holder holder = Holder.of(sleeper.pid())) {
            assertThat(holder.isTracing()).isTrue();
            assertThatThrownBy(() -> ForeignUserfaultfd.fetch(process))
                    .hasMessageContaining("is already traced by process ");
        }
    }

    /** Traces a process on a thread of its own until it is closed. */
    private static final class Holder implements AutoCloseable {
        private final Thread thread;
        private final CountDownLatch held = new CountDownLatch(1);
        private final CountDownLatch over = new CountDownLatch(1);

        private Holder(int pid) {
            thread = Thread.ofPlatform().start(() -> {
                try {
                    Tracing.REAL.seize(pid);
                    held.countDown();
                    over.await();
                } catch (LinuxException | InterruptedException e) {
                    throw new AssertionError(e);
                }
            });
        }

        static Holder of(int pid) {
            return new Holder(pid);
        }

        boolean isTracing() {
            try {
                return held.await(LIMIT.toSeconds(), TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                return false;
            }
        }

        @Override
        public void close() {
            over.countDown();
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** The kernel's calls. One of them, or all from it on, fail and are not made. */
    private static class FailingTracing implements Tracing {
        private final int failing;
        private final boolean forGood;
        private int calls;
        private boolean polls;

        FailingTracing(int failing, boolean forGood) {
            this.failing = failing;
            this.forGood = forGood;
        }

        boolean hasFailed() {
            return calls >= failing;
        }

        private void next(String what) throws LinuxException {
            polls = what.equals("poll");
            calls++;
            if (calls == failing || forGood && calls > failing) {
                throw new LinuxException(what, "a thread", Errno.EPERM, "it failed on purpose");
            }
        }

        @Override
        public void seize(int thread) throws LinuxException {
            next("seize");
            REAL.seize(thread);
        }

        @Override
        public void interrupt(int thread) throws LinuxException {
            next("interrupt");
            REAL.interrupt(thread);
        }

        /** Many calls in a row count as one, because their number depends on time. */
        @Override
        public int poll(int thread) throws LinuxException {
            if (!polls || forGood && hasFailed()) {
                next("poll");
            }
            return REAL.poll(thread);
        }

        @Override
        public void getRegisters(int thread, Registers into) throws LinuxException {
            next("getRegisters");
            REAL.getRegisters(thread, into);
        }

        @Override
        public void setRegisters(int thread, Registers from) throws LinuxException {
            next("setRegisters");
            REAL.setRegisters(thread, from);
        }

        @Override
        public void goOnToCall(int thread) throws LinuxException {
            next("goOnToCall");
            REAL.goOnToCall(thread);
        }

        @Override
        public void goOn(int thread, int signal) throws LinuxException {
            next("goOn");
            REAL.goOn(thread, signal);
        }

        @Override
        public void detach(int thread) throws LinuxException {
            next("detach");
            REAL.detach(thread);
        }

        @Override
        public void signal(int process, int signal) throws LinuxException {
            next("signal");
            REAL.signal(process, signal);
        }
    }
}
