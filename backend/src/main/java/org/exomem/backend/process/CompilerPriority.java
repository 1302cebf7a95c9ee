package org.exomem.backend.process;

import org.exomem.linux.ThreadPriority;

/** The priority of the JVM's compilers. */
public final class CompilerPriority {
    /**
     * The name of the compiler that takes long to make fast code. The other compiler finishes sooner than its code would run
     * without it.
     */
    private static final String THREADS = "C2 CompilerThre";

    private static final int NICE = 10;

    private CompilerPriority() {}

    /**
     * Gives the compiler of this process a low priority from now on. A guest that waits for its memory, and the threads that
     * bring it, use the same processors. Code that is not compiled yet runs more slowly.
     */
    public static void runLast() {
        ThreadPriority.lower(THREADS, NICE);
    }
}
