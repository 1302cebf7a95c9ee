package org.exomem.migration.stream.wire;

import java.io.Closeable;
import java.io.IOException;
import java.lang.System.Logger.Level;

/** Closes what nobody needs any more, where a failure changes nothing for anybody. */
public final class Quietly {
    private static final System.Logger LOG = System.getLogger(Quietly.class.getName());

    private Quietly() {}

    public static void close(Closeable closeable) {
        try {
            closeable.close();
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "closing " + closeable, e);
        }
    }
}
