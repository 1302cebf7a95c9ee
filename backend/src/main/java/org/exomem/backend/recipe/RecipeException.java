package org.exomem.backend.recipe;

/** A VM can't run as requested with any options of its VMM. The message says why, and what would be right. */
public final class RecipeException extends Exception {
    private static final long serialVersionUID = 1L;

    /** @param message for the user */
    public RecipeException(String message) {
        super(message);
    }
}
