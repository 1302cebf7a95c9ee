package org.exomem.migration;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Why a migration did not continue. The kinds are a closed set, and each is final or not. Any other {@link IOException} of a
 * connection counts as a lost connection, see {@link #of}.
 */
public abstract sealed class MigrationFailure extends IOException
        permits ConnectionLostException,
                DestinationFault,
                GuestGivenBackException,
                HandoverUncertainException,
                MigrationCancelledException,
                PeerFault,
                StreamFault {
    private static final long serialVersionUID = 1L;

    MigrationFailure(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    /**
     * True if connecting again can't help, because one of the two ends has decided; false for a lost connection (STR-ERR-2).
     */
    public abstract boolean isFinal();

    /**
     * Returns a new exception for the same failure, for use by another thread: an exception that is thrown twice would have
     * the stack trace of the wrong thread.
     */
    public abstract MigrationFailure again();

    /** Returns the failure itself; for any other exception of a connection, a {@link ConnectionLostException}. */
    public static MigrationFailure of(IOException e) {
        return e instanceof MigrationFailure failure ? failure : new ConnectionLostException(text(e), e);
    }

    /** True if connecting again can't help after this exception of a connection. */
    public static boolean isFinal(IOException e) {
        return e instanceof MigrationFailure failure && failure.isFinal();
    }

    /** The message of an exception, or its class name if it has none. */
    public static String text(Throwable e) {
        String message = e.getMessage();
        return message == null ? e.toString() : message;
    }
}
