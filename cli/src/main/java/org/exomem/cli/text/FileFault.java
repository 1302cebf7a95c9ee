package org.exomem.cli.text;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;

/** What is wrong with a file, in words. The JDK's own exceptions often have no message but the file's name. */
public final class FileFault {
    private FileFault() {}

    /** The file and the reason; of another exception its message. */
    public static String text(Exception e) {
        return e instanceof FileSystemException fault && fault.getFile() != null
                ? fault.getFile() + ": " + reason(fault)
                : String.valueOf(e.getMessage());
    }

    /** The reason alone. */
    public static String reason(IOException e) {
        return switch (e) {
            case FileSystemException told when told.getReason() != null -> told.getReason();
            case AccessDeniedException _ -> "permission denied";
            case NoSuchFileException _ -> "it does not exist, and can't be created there";
            case FileAlreadyExistsException _ -> "it exists already";
            case NotDirectoryException _ -> "it is not a folder";
            case DirectoryNotEmptyException _ -> "the folder is not empty";
            case FileSystemLoopException _ -> "its symbolic links form a loop";
            default -> String.valueOf(e.getMessage());
        };
    }
}
