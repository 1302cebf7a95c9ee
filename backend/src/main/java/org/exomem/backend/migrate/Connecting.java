package org.exomem.backend.migrate;

import java.io.IOException;
import java.util.concurrent.Callable;
import org.exomem.migration.pagesource.Errand;
import org.exomem.migration.stream.source.MigrationSender;

/**
 * A connection to a destination, which is made while the source prepares the migration. Used by the migration's thread only.
 */
final class Connecting implements AutoCloseable {
    private final Errand<MigrationSender> connection;

    private Connecting(Errand<MigrationSender> connection) {
        this.connection = connection;
    }

    /**
     * Begins to connect, on a thread of its own.
     *
     * @param connect must fail by itself when it takes too long or is cancelled
     */
    static Connecting begin(Callable<MigrationSender> connect) {
        return new Connecting(Errand.begin("migration-connect", connect));
    }

    /**
     * Checks the connection, and does not wait for it.
     *
     * @throws IOException if the connection has already failed; the message says why
     */
    void failIfRefused() throws IOException {
        if (connection.isDone()) {
            connection.result();
        }
    }

    /**
     * Waits for the connection.
     *
     * @throws IOException if there is none; the message says why
     */
    MigrationSender sender() throws IOException {
        return connection.result();
    }

    /**
     * Waits for the connection, and reports to the destination why there will be no migration. Does nothing if there is no
     * connection.
     */
    void abort(String reason) {
        try {
            connection.result().abort(reason);
        } catch (IOException e) {
            // There is no destination to report to.
        }
    }

    /** Waits for the connection, and closes it. */
    @Override
    public void close() {
        try {
            connection.result().close();
        } catch (IOException e) {
            // The caller of sender() got this failure.
        }
    }
}
