package org.exomem.linux.process;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Poll;

/**
 * A program that was started with one more descriptor than input, output and error, which {@link ProcessBuilder} does not
 * support. Its input is empty, and its output is dropped. For one thread.
 */
public final class InheritingProcess implements AutoCloseable {
    /** The number of the descriptor in the program. */
    public static final int NUMBER = 3;

    private static final int SIGTERM = 15;
    private static final int SIGKILL = 9;
    /** Larger than {@code posix_spawn_file_actions_t} in any C library. */
    private static final long FILE_ACTIONS_SIZE = 512;

    private static final int O_RDWR = 2;
    private static final int SIGNAL_BITS = 0x7f;
    private static final int EXIT_SHIFT = 8;
    private static final int SIGNALLED = 128;

    private final int pid;
    private final Fd handle;
    private OptionalInt status = OptionalInt.empty();

    private InheritingProcess(int pid, Fd handle) {
        this.pid = pid;
        this.handle = handle;
    }

    /**
     * Starts a shell command.
     *
     * @param inherited remains the caller's; the program has it as {@link #NUMBER}
     * @throws IOException if it can't be started
     */
    public static InheritingProcess start(String command, Fd inherited) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment actions = arena.allocate(FILE_ACTIONS_SIZE, Long.BYTES);
            require("posix_spawn_file_actions_init", ProcessCalls.posix_spawn_file_actions_init(actions.address()));
            try {
                MemorySegment nothing = arena.allocateFrom("/dev/null");
                for (int standard = 0; standard < NUMBER; standard++) {
                    require(
                            "posix_spawn_file_actions_addopen",
                            ProcessCalls.posix_spawn_file_actions_addopen(
                                    actions.address(), standard, nothing.address(), O_RDWR, 0));
                }
                require(
                        "posix_spawn_file_actions_adddup2",
                        ProcessCalls.posix_spawn_file_actions_adddup2(actions.address(), inherited.number(), NUMBER));
                MemorySegment number = arena.allocate(Integer.BYTES);
                List<String> environment = System.getenv().entrySet().stream()
                        .map(InheritingProcess::text)
                        .toList();
                require(
                        "posix_spawn",
                        ProcessCalls.posix_spawn(
                                number.address(),
                                arena.allocateFrom("/bin/sh").address(),
                                actions.address(),
                                0,
                                texts(arena, List.of("sh", "-c", command)).address(),
                                texts(arena, environment).address()));
                return of(number.get(ValueLayout.JAVA_INT, 0));
            } finally {
                ProcessCalls.posix_spawn_file_actions_destroy(actions.address());
            }
        }
    }

    private static InheritingProcess of(int pid) throws LinuxException {
        long handle = ProcessCalls.syscall(ProcessCalls.PIDFD_OPEN, pid, 0, 0);
        if (handle < 0) {
            int error = ProcessCalls.errno();
            end(pid);
            throw new LinuxException("pidfd_open", "process " + pid, error);
        }
        return new InheritingProcess(pid, new Fd((int) handle));
    }

    private static String text(Map.Entry<String, String> variable) {
        return variable.getKey() + "=" + variable.getValue();
    }

    private static MemorySegment texts(Arena arena, List<String> texts) {
        MemorySegment addresses = arena.allocate((texts.size() + 1L) * Long.BYTES, Long.BYTES);
        for (int i = 0; i < texts.size(); i++) {
            addresses.setAtIndex(
                    ValueLayout.JAVA_LONG, i, arena.allocateFrom(texts.get(i)).address());
        }
        return addresses;
    }

    /** Throws for the error that these functions return. */
    private static void require(String call, int error) throws LinuxException {
        if (error != 0) {
            throw new LinuxException(call, "sh", error);
        }
    }

    /**
     * Waits until the program has ended.
     *
     * @return its status, or 128 and the number of the signal that ended it; empty if it still runs after that time
     * @throws LinuxException if the call fails
     */
    public OptionalInt awaitEnd(Duration longest) throws LinuxException {
        if (status.isEmpty() && Poll.readable(handle, longest)) {
            status = OptionalInt.of(reap(pid));
        }
        return status;
    }

    private static int reap(int pid) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment raw = arena.allocate(Integer.BYTES);
            ProcessCalls.waitpid(pid, raw.address(), 0);
            int ended = raw.get(ValueLayout.JAVA_INT, 0);
            int signal = ended & SIGNAL_BITS;
            return signal != 0 ? SIGNALLED + signal : ended >>> EXIT_SHIFT;
        }
    }

    private static void end(int pid) {
        ProcessCalls.kill(pid, SIGKILL);
        reap(pid);
    }

    /**
     * Sends SIGTERM to the program and its descendants; kills those that are left after the time.
     *
     * @throws LinuxException if the call fails
     */
    public void terminate(Duration longest) throws LinuxException {
        // Its number can't be reused until it is reaped here.
        if (status.isEmpty()) {
            List<ProcessHandle> below = ProcessHandle.of(pid)
                    .map(self -> self.descendants().toList())
                    .orElse(List.of());
            below.forEach(ProcessHandle::destroy);
            ProcessCalls.kill(pid, SIGTERM);
            awaitEnd(longest);
            below.forEach(ProcessHandle::destroyForcibly);
        }
    }

    /** Kills the program if it still runs. */
    @Override
    public void close() {
        if (status.isEmpty()) {
            ProcessHandle.of(pid).ifPresent(self -> self.descendants().forEach(ProcessHandle::destroyForcibly));
            end(pid);
            status = OptionalInt.of(SIGNALLED + SIGKILL);
        }
        handle.close();
    }
}
