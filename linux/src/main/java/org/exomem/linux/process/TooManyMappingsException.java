package org.exomem.linux.process;

import java.io.IOException;

/** A process has more mappings, or of longer paths, than are taken in. */
final class TooManyMappingsException extends IOException {
    private static final long serialVersionUID = 1L;

    /** @param process its number */
    TooManyMappingsException(String process, long limit) {
        super("process " + process
                + " has so many mappings, or of so long paths, that they are not looked at: more than " + limit
                + " bytes of text");
    }
}
