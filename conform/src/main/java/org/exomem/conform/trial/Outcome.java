package org.exomem.conform.trial;

/** The back-end's reaction to a request that it may or must refuse. */
public sealed interface Outcome {
    /** The back-end replied with success. */
    record Accepted() implements Outcome {}

    /**
     * The back-end replied with an error.
     *
     * @param how the content of the reply
     */
    record RefusedBy(String how) implements Outcome {}

    /** The back-end closed the connection. */
    record ClosedConnection() implements Outcome {}
}
