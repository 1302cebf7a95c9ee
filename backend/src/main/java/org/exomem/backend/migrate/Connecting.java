package org.exomem.backend.migrate;

import java.io.IOException;
import java.util.concurrent.Callable;
import org.exomem.migration.pagesource.Errand;
import org.exomem.migration.stream.source.MigrationSender;

/** A connection to a destination, which is made while its source prepares. Belongs to the migration's thread. */
final class Connecting implements AutoCloseable {
    private final Errand<MigrationSender> connection;

    private Connecting(Errand<MigrationSender> connection) {
        this.connection = connection;
    }

    /** @param connect fails by itself if it takes too long, or is cancelled */
    static Connecting begin(Callable<MigrationSender> connect) {
        return new Connecting(Errand.begin("migration-connect", connect));
    }

    /** @throws IOException if it is known by now that there will be no connection, saying why */
    void failIfRefused() throws IOException {
        if (connection.isDone()) {
            connection.result();
        }
    }

    /**
     * Waits until the connection is there.
     *
     * @throws IOException if there is none, saying why
     */
    MigrationSender sender() throws IOException {
        return connection.result();
    }

    /** Tells the destination, if there is a connection, why there will be no migration. */
    void abort(String reason) {
        try {
            connection.result().abort(reason);
        } catch (IOException e) {
            // There is nobody to tell.
        }
    }

    /** Closes the connection, also one that is still to come. */
    @Override
    public void close() {
        try {
            connection.result().close();
        } catch (IOException e) {
            // Whoever needed the connection was told.
        }
    }
}
