package org.exomem.backend.recipe;

/** There are no options of a VMM with which a VM runs as it was asked for: why, and what would be right. */
public final class RecipeException extends Exception {
    private static final long serialVersionUID = 1L;

    /** @param message for the user */
    public RecipeException(String message) {
        super(message);
    }
}
