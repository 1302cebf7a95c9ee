package org.exomem.conform.strict.observe;

/** Where an observer tells what it has seen. */
public interface Tally {
    /** The requirement was kept, once more. */
    void kept();

    /**
     * The requirement was not kept.
     *
     * @param what what came, and what should have come, in a sentence
     */
    void broken(String what);

    /** One of both. */
    default void judge(boolean right, String otherwise) {
        if (right) {
            kept();
        } else {
            broken(otherwise);
        }
    }
}
