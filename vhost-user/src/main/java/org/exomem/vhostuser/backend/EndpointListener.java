package org.exomem.vhostuser.backend;

import org.exomem.linux.HostRam;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.memory.LatePages;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.jspecify.annotations.Nullable;

/** The owner of an endpoint: notified of events, and asked for limits. Called on the VM's event loop. */
public interface EndpointListener {
    /** The default limit of memory that a front-end may share, as a multiple of the host's memory. */
    long DEFAULT_MEMORY_FACTOR = 4;

    /**
     * The most memory that a front-end may share, in bytes (VHU-MEM-12); asked when one connects. Large files cost nothing
     * by themselves, but what is known of their pages takes heap.
     */
    default long memoryLimit() {
        return DEFAULT_MEMORY_FACTOR * HostRam.bytes();
    }

    /**
     * Returns how the pages of a new region are obtained, if its file does not have all of them. Must not wait.
     *
     * @param frontEnd the id of the connected process; 0 if it is unknown
     * @param came to be run on the event loop when requested pages have arrived
     * @return null if all pages are in the file
     * @throws FrontEndFault if the region can't be used; the message says why
     */
    default @Nullable LatePages pagesOf(MemoryRegion region, int frontEnd, Runnable came) throws LinuxException {
        return null;
    }

    /** A front-end has connected. */
    void connected();

    /** The front-end has gone, or was disconnected. */
    void disconnected(String reason);

    /**
     * The front-end of an inherited connection has gone, after {@link #disconnected}: no other one can connect to this
     * endpoint. A process that serves nothing else can end.
     */
    default void noFrontEndCanCome() {}

    /**
     * A driver or front-end broke a rule, or the host failed. The message says what happened, to what, and the consequence.
     */
    void fault(FaultKind kind, String message);
}
