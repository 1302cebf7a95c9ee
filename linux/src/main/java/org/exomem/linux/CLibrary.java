package org.exomem.linux;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;

/**
 * The C library of this process, to which classes bind their native declarations. It is the one that the JVM runs with, and not one that is
 * looked for by its name: before that, JNA would start a program ({@code ldconfig}) to learn where libraries are.
 */
public final class CLibrary {
    /** Where JNA looks for libraries by their names. That exomem never asks it to, so where others want it to look stays as they said. */
    private static final String SEARCH_PATH = "jna.platform.library.path";

    static {
        if (System.getProperty(SEARCH_PATH) == null) {
            System.setProperty(SEARCH_PATH, "");
        }
    }

    private CLibrary() {}

    /**
     * Binds the static native methods of a class, each to the function of its name.
     *
     * @throws UnsatisfiedLinkError if there is no such function
     */
    public static void bind(Class<?> declarations) {
        Native.register(declarations, NativeLibrary.getProcess());
    }
}
