package org.exomem.linux.process;

import java.io.IOException;

/** A process has more mappings, or longer paths, than are read. */
final class TooManyMappingsException extends IOException {
    private static final long serialVersionUID = 1L;

    /** @param process its id */
    TooManyMappingsException(String process, long limit) {
        super("process " + process
                + " has too many mappings, or mappings with too long paths: their list has more than " + limit
                + " bytes of text");
    }
}
