package org.exomem.backend.vmm;

import java.io.IOException;
import java.time.Duration;
import java.util.Set;
import org.exomem.backend.qmp.QmpSession;
import org.exomem.backend.qmp.VmmException;
import org.exomem.linux.process.ForeignUserfaultfd;
import org.exomem.linux.process.ProcessFd;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The process of a VMM whose memory is watched. For one thread. */
public final class WatchedVmm implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(WatchedVmm.class);
    private static final String HAND_OVER = "make-userfaultfd";

    private final QmpSession qmp;
    private final ProcessFd process;
    private final boolean handsOver;

    private WatchedVmm(QmpSession qmp, ProcessFd process, boolean handsOver) {
        this.qmp = qmp;
        this.process = process;
        this.handsOver = handsOver;
    }

    /**
     * Finds the process that listens on the QMP socket, and checks that it hands over a userfaultfd (VMM-19) or may be
     * attached to (VMM-16).
     *
     * @throws VmmException if it does neither, or can't be seen from here
     */
    static WatchedVmm open(QmpSession qmp, VmmPeer peer, Set<String> commands) throws IOException {
        boolean handsOver = commands.contains(HAND_OVER);
        if (!handsOver) {
            refuseOthersThanQemu(qmp);
        }
        return new WatchedVmm(qmp, peer.open(), handsOver);
    }

    private static void refuseOthersThanQemu(QmpSession qmp) throws VmmException {
        if (!qmp.isQemu()) {
            throw new VmmException("the VMM on " + qmp + " is not QEMU, and exomem attaches to no other VMM");
        }
    }

    public int pid() {
        return process.pid();
    }

    /**
     * Returns the process, if it may be attached to (VMM-16). It is closed with this.
     *
     * @throws VmmException if it may not
     */
    ProcessFd attachable() throws VmmException {
        refuseOthersThanQemu(qmp);
        return process;
    }

    /**
     * Returns the process, if its memory may come on demand: it hands over a userfaultfd (VMM-19), or may be attached to
     * (VMM-16). It is closed with this.
     *
     * @throws VmmException if it does neither
     */
    ProcessFd pageable() throws VmmException {
        return handsOver ? process : attachable();
    }

    /** True if the VMM hands over a userfaultfd on request, so that exomem does not attach to it (VMM-19). */
    boolean handsOver() {
        return handsOver;
    }

    /**
     * Opens a userfaultfd in the VMM, and fetches it. No features were requested of it yet. One that was handed over stays
     * open there until the next one is requested.
     *
     * @throws IOException if that fails, with the reason; the VMM is as before (VMM-17)
     */
    ForeignUserfaultfd.Left leaveUserfaultfd() throws IOException {
        return handsOver ? handedOver() : ForeignUserfaultfd.leave(process);
    }

    private ForeignUserfaultfd.Left handedOver() throws IOException {
        int number = qmp.execute(HAND_OVER).path("fd").asInt(-1);
        return new ForeignUserfaultfd.Left(process.fetch(number), number);
    }

    /**
     * Fetches a userfaultfd for the VMM's address space. No features were requested of it yet.
     *
     * @throws IOException if that fails, with the reason; the VMM is as before (VMM-17)
     */
    public ForeignUserfaultfd.Fetched userfaultfd() throws IOException {
        if (handsOver) {
            return new ForeignUserfaultfd.Fetched(handedOver().fd(), Duration.ZERO);
        }
        ForeignUserfaultfd.Fetched fetched = ForeignUserfaultfd.fetch(process);
        LOG.info(
                "attached to the VMM on {} ({}); its main thread was stopped for {} us",
                qmp,
                process,
                fetched.stopped().toNanos() / 1000);
        return fetched;
    }

    @Override
    public void close() {
        process.close();
    }
}
