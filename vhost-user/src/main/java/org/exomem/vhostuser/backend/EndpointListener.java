package org.exomem.vhostuser.backend;

import org.exomem.linux.HostRam;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.memory.LatePages;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.jspecify.annotations.Nullable;

/** The owner of an endpoint: is told what happens there, and says what is allowed. Called on the event loop of its VM. */
public interface EndpointListener {
    /** How many times the host's memory a front-end may share where the owner sets no limit. */
    long DEFAULT_MEMORY_FACTOR = 4;

    /**
     * The most memory that a front-end may share, in bytes (VHU-MEM-12); asked when one connects. A file may be as large as
     * one likes and cost nothing, but what is known of its pages costs heap.
     */
    default long memoryLimit() {
        return DEFAULT_MEMORY_FACTOR * HostRam.bytes();
    }

    /**
     * How the pages of a region are to be had that a front-end has just shared, where its file does not have them all. Must not wait.
     *
     * @param frontEnd the process that is connected; 0 if that is not known
     * @param came is to be run on the event loop when pages have come that were asked for
     * @return null if all pages are in the file
     * @throws FrontEndFault if the region can't be used; says why
     */
    default @Nullable LatePages pagesOf(MemoryRegion region, int frontEnd, Runnable came) throws LinuxException {
        return null;
    }

    /** A front-end has connected. */
    void connected();

    /** The front-end has gone, or was sent away; says why. */
    void disconnected(String reason);

    /**
     * The front-end of an inherited connection has gone, after {@link #disconnected}: no other one can ever come to this
     * endpoint. A process that serves nothing else can end.
     */
    default void noFrontEndCanCome() {}

    /** Somebody broke a rule, or the host failed. The message says what happened, to what, and what follows. */
    void fault(FaultKind kind, String message);
}
