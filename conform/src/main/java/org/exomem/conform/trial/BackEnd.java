package org.exomem.conform.trial;

import java.io.IOException;
import java.util.Optional;
import java.util.OptionalLong;
import org.exomem.linux.Fd;

/** The back-end under test: how a session with it begins, and what can be seen of its process. For one thread. */
public interface BackEnd extends AutoCloseable {
    /** What is tested, for the report. */
    String description();

    /**
     * A new connection, which is the caller's. Starts the process if it is ours to start and does not run.
     *
     * @throws IOException if there is none to be had
     */
    Fd connect() throws IOException;

    /** The command that starts the program, if the user gave one: for the shell, with {@code {socket}} for the path of its socket. */
    default Optional<String> command() {
        return Optional.empty();
    }

    /** The process's number, if it is known and runs. */
    OptionalLong pid();

    /**
     * What has become of the process since the last call, if it is ours and has ended: empty as long as it runs. After that, the next
     * {@link #connect} starts it again.
     */
    Optional<Ending> ended();

    /**
     * Kills the process as SIGKILL does, if it is ours; the next {@link #connect} starts it again. Returns when it has gone.
     *
     * @return false if it is not ours to kill, or does not run
     */
    default boolean kill() {
        return false;
    }

    @Override
    void close();

    /**
     * How a process ended.
     *
     * @param signal the number of the signal that ended it, 0 if none
     * @param status its exit status if no signal ended it
     * @param lastWords the end of what it wrote
     */
    record Ending(int signal, int status, String lastWords) {
        private static final int ABORT = 6;
        private static final int[] FAULTS = {4, ABORT, 7, 8, 11, 31};

        /** True if it was ended by a fault of its own. */
        public boolean isCrash() {
            for (int fault : FAULTS) {
                if (signal == fault) {
                    return true;
                }
            }
            return false;
        }

        /** True if it ended because something was wrong, in its own eyes or by a fault. */
        public boolean isFailure() {
            return status != 0 || isCrash();
        }

        /** For a message: what it wrote at last, on lines of its own; empty if it wrote nothing. */
        public String written() {
            return lastWords.isEmpty() ? "" : "; it wrote at last:\n" + lastWords;
        }

        @Override
        public String toString() {
            return signal != 0 ? "ended by signal " + signal : "ended with status " + status;
        }
    }
}
