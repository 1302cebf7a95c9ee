package org.exomem.migration.stream;

import java.io.IOException;
import org.exomem.migration.MigrationCancelledException;

/** Failures that several threads are told. */
final class Failures {
    private Failures() {}

    /** The same failure for another thread: an exception that is thrown twice tells of the wrong thread. */
    static IOException again(IOException e) {
        String message = String.valueOf(e.getMessage() == null ? e : e.getMessage());
        return switch (e) {
            case MigrationCancelledException cancelled -> new MigrationCancelledException();
            case StreamFault fault -> new StreamFault(message, fault);
            case PeerFault fault -> {
                PeerFault copy = new PeerFault(message);
                copy.initCause(fault);
                yield copy;
            }
            case HandoverUncertainException uncertain -> new HandoverUncertainException(message, uncertain);
            default -> new IOException(message, e);
        };
    }

    /** True if coming back can't help: an end has decided. */
    static boolean isFinal(IOException e) {
        return e instanceof StreamFault
                || e instanceof PeerFault
                || e instanceof HandoverUncertainException
                || e instanceof MigrationCancelledException;
    }
}
