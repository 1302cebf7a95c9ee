package org.exomem.migration;

import java.io.IOException;

/** The migration was cancelled; the guest runs on at the source. */
public final class MigrationCancelledException extends IOException {
    private static final long serialVersionUID = 1L;

    public MigrationCancelledException() {
        super("the migration was cancelled at the source");
    }
}
