package org.exomem.reference;

/**
 * A file of the catalogue is not as {@code spec/catalogue/README.md} describes it. The message names the file and, where
 * there is one, the entry. Unchecked, as the files are a part of the program.
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
