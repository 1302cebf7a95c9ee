package org.exomem.pages;

/**
 * Receives runs of consecutive pages or blocks.
 *
 * @param <E> the exception of the visitor, which is passed on to the caller of the visit
 */
@FunctionalInterface
public interface RunVisitor<E extends Exception> {
    /**
     * @param first the number of the run's first page or block
     * @param count the run's length in pages or blocks, at least 1
     */
    void run(long first, long count) throws E;
}
