package org.exomem.migration;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Why a migration does not go on as it was. The kinds are closed, and each says whether it is final. Any other
 * {@link IOException} of a connection is a cut, see {@link #of}.
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

    /** True if connecting again can't help, because one of the two ends has decided; false for a cut (STR-ERR-2). */
    public abstract boolean isFinal();

    /** The same failure for another thread: an exception that is thrown twice has the stack trace of the wrong thread. */
    public abstract MigrationFailure again();

    /** The failure itself, or a {@link ConnectionLostException} for what a connection threw that is no other failure. */
    public static MigrationFailure of(IOException e) {
        return e instanceof MigrationFailure failure ? failure : new ConnectionLostException(text(e), e);
    }

    /** True if connecting again can't help after this exception of a connection. */
    public static boolean isFinal(IOException e) {
        return e instanceof MigrationFailure failure && failure.isFinal();
    }

    /** The message of an exception, or its name where it has none. */
    public static String text(Throwable e) {
        String message = e.getMessage();
        return message == null ? e.toString() : message;
    }
}
