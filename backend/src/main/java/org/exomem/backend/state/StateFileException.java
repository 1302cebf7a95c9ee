package org.exomem.backend.state;

import java.io.IOException;
import java.nio.file.Path;

/** A state file can't be used; the message says which, why, and what to do. */
public final class StateFileException extends IOException {
    private static final long serialVersionUID = 1L;

    StateFileException(Path file, String what) {
        super("state file " + file + ": " + what);
    }

    StateFileException(Path file, String what, Throwable cause) {
        super("state file " + file + ": " + what, cause);
    }

    static StateFileException damaged(Path file, String what) {
        return new StateFileException(
                file,
                what
                        + ". The file is damaged and is left as it is; what the guest was told is not known any more. Stop the"
                        + " VM, move the file away, and start the VM anew");
    }
}
