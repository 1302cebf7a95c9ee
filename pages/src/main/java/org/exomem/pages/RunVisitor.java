package org.exomem.pages;

/**
 * Receives runs of neighbouring pages or blocks.
 *
 * @param <E> what the visitor throws; it passes through to whoever began the visit
 */
@FunctionalInterface
public interface RunVisitor<E extends Exception> {
    /**
     * @param first the number of the run's first page or block
     * @param count the run's length in pages or blocks, at least 1
     */
    void run(long first, long count) throws E;
}
