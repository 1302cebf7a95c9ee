package org.exomem.backend.vmm;

import java.io.IOException;
import java.nio.file.Path;
import org.exomem.backend.qmp.QmpSession;
import org.exomem.backend.qmp.VmmException;
import org.exomem.linux.Fd;
import org.exomem.linux.UnixSockets;
import org.exomem.linux.process.ProcessFd;
import org.exomem.linux.process.SocketHolder;

/** The process that serves a VMM's QMP socket: the VMM itself, unless there is a proxy in between. For one thread. */
final class VmmPeer {
    private static final int UNKNOWN = -1;

    private final QmpSession qmp;
    private int pid = UNKNOWN;

    VmmPeer(QmpSession qmp) {
        this.qmp = qmp;
    }

    /**
     * Returns the process id. Looks only once: each look makes another connection, which stays in the queue of a VMM that
     * serves one at a time.
     *
     * @return 0 if the process can't be seen from here
     */
    int pid() throws IOException {
        if (pid == UNKNOWN) {
            pid = find(qmp.socket());
        }
        return pid;
    }

    private static int find(Path socket) throws IOException {
        try (Fd connection = UnixSockets.connectNow(socket)) {
            int maker = UnixSockets.peer(connection);
            return maker <= 0 ? maker : SocketHolder.of(socket, maker);
        }
    }

    /** As {@link #open()}, without a request to the VMM. */
    static ProcessFd open(Path socket) throws IOException {
        return open(socket, find(socket));
    }

    /**
     * Opens the process, and checks that it still serves the socket, as its number may belong to another process by then
     * (VMM-16).
     *
     * @throws VmmException if it can't be seen from here, or does not serve the socket any more
     */
    ProcessFd open() throws IOException {
        return open(qmp.socket(), pid());
    }

    private static ProcessFd open(Path socket, int number) throws IOException {
        if (number <= 0) {
            throw new VmmException("the process of the VMM on " + socket + " is not visible to exomem");
        }
        ProcessFd process = ProcessFd.open(number);
        try {
            if (SocketHolder.mayServe(socket, number)) {
                return process;
            }
        } catch (IOException e) {
            process.close();
            throw e;
        }
        process.close();
        throw new VmmException(
                process + " does not have the QMP socket " + socket + " open, although it was started to listen there");
    }
}
