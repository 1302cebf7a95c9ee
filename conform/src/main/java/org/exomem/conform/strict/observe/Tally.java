package org.exomem.conform.strict.observe;

/** Receives the findings of an observer. */
public interface Tally {
    /** The requirement was met once more. */
    void kept();

    /**
     * The requirement was not met.
     *
     * @param what what came and what was expected, in a sentence
     */
    void broken(String what);

    /** Reports {@link #kept} or {@link #broken}. */
    default void judge(boolean right, String otherwise) {
        if (right) {
            kept();
        } else {
            broken(otherwise);
        }
    }
}
