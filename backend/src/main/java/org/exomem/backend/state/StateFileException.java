package org.exomem.backend.state;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** A state file can't be used. The message names the file, the reason and the remedy. */
public final class StateFileException extends IOException {
    private static final long serialVersionUID = 1L;

    StateFileException(Path file, String what) {
        super("state file " + file + ": " + what);
    }

    private StateFileException(String what) {
        super(what);
    }

    private StateFileException(String what, Throwable cause) {
        super(what, cause);
    }

    StateFileException(Path file, String what, Throwable cause) {
        super("state file " + file + ": " + what, cause);
    }

    /** The directory of the state files can't be used. */
    static StateFileException ofDirectory(Path directory, IOException cause) {
        return new StateFileException("state directory " + directory + " can't be used: " + reason(cause), cause);
    }

    static StateFileException ofDirectory(Path directory, String why) {
        return new StateFileException("state directory " + directory + " can't be used: " + why);
    }

    static StateFileException inUseHere(Path file) {
        return new StateFileException(file, "it is in use by another device of this process");
    }

    static StateFileException notPlain(Path file) {
        return new StateFileException(
                file,
                "it is a directory, a link or a device, not a regular file. It is left unchanged. Move it away, or"
                        + " use another state directory");
    }

    /** The reason that the file system gave, without the path. */
    static String reason(IOException e) {
        return switch (e) {
            case AccessDeniedException _ -> "permission denied";
            case NoSuchFileException _ -> "it does not exist";
            case FileSystemException other when other.getReason() != null -> other.getReason();
            default -> String.valueOf(e.getMessage());
        };
    }

    static StateFileException damaged(Path file, String what) {
        return new StateFileException(
                file,
                what
                        + ". The file is damaged and is left unchanged; the device's state that the guest has seen is"
                        + " lost. Stop the VM, move the file away, and start the VM again");
    }
}
