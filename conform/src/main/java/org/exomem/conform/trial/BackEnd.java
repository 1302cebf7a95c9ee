package org.exomem.conform.trial;

import java.io.IOException;
import java.util.Optional;
import java.util.OptionalLong;
import org.exomem.linux.Fd;

/** The back-end under test: begins sessions with it, and observes its process. For one thread. */
public interface BackEnd extends AutoCloseable {
    /** The name of the back-end, for the report. */
    String description();

    /**
     * Makes a new connection, which the caller closes. Starts the process if this object controls it and it does not
     * run.
     *
     * @throws IOException if no connection can be made
     */
    Fd connect() throws IOException;

    /**
     * The shell command that starts the program, if the user gave one; it has {@code {socket}} for the path of its
     * socket.
     */
    default Optional<String> command() {
        return Optional.empty();
    }

    /** The process id, if it is known and the process runs. */
    OptionalLong pid();

    /**
     * How the process has ended since the last call, if this object controls it. Empty while it runs. The next {@link
     * #connect} starts it again.
     */
    Optional<Ending> ended();

    /**
     * Kills the process with SIGKILL, if this object controls it. Returns when the process has gone. The next {@link
     * #connect} starts it again.
     *
     * @return false if the process is not under this object's control, or does not run
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
     * @param lastWords the end of its output
     */
    record Ending(int signal, int status, String lastWords) {
        private static final int ABORT = 6;
        private static final int[] FAULTS = {4, ABORT, 7, 8, 11, 31};

        /** True if the process ended because of its own fault. */
        public boolean isCrash() {
            for (int fault : FAULTS) {
                if (signal == fault) {
                    return true;
                }
            }
            return false;
        }

        /** True if the process ended with an error, by its own decision or by a fault. */
        public boolean isFailure() {
            return status != 0 || isCrash();
        }

        /** The end of its output, on separate lines, for a message; empty if there is no output. */
        public String written() {
            return lastWords.isEmpty() ? "" : "; its last output:\n" + lastWords;
        }

        @Override
        public String toString() {
            return signal != 0 ? "ended by signal " + signal : "ended with status " + status;
        }
    }
}
