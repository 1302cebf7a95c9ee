package org.exomem.migration.pager;

import java.io.IOException;

/** The VMM has ended, so no thread waits for pages any more. */
public final class VmmGoneException extends IOException {
    private static final long serialVersionUID = 1;

    public VmmGoneException() {
        super("the VMM has ended");
    }
}
