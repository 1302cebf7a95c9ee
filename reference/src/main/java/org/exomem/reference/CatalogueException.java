package org.exomem.reference;

/**
 * A file of the catalogue does not have the form that {@code spec/catalogue/README.md} describes. The message names the
 * file and, if there is one, the entry. Unchecked, because the files are part of the program.
 */
public final class CatalogueException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    CatalogueException(String message) {
        super(message);
    }

    CatalogueException(String message, Exception cause) {
        super(message, cause);
    }
}
