package org.exomem.vhostuser.backend;

import org.exomem.linux.HostRam;

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
