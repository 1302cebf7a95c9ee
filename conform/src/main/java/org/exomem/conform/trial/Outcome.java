package org.exomem.conform.trial;

/** What a back-end made of a request that it may or must refuse. */
public sealed interface Outcome {
    /** It replied with success. */
    record Accepted() implements Outcome {}

    /**
     * It replied with an error.
     *
     * @param how what the reply said
     */
    record RefusedBy(String how) implements Outcome {}

    /** It closed the connection. */
    record ClosedConnection() implements Outcome {}
}
