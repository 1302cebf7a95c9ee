package org.exomem.vhostuser.backend;

/** Is told what happens at an endpoint, on the event loop of its VM. */
public interface EndpointListener {
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
