package org.exomem.backend.process;

import org.exomem.linux.ThreadPriority;

/** The JVM's compilers and the guests of this host. */
public final class CompilerPriority {
    /** The compiler that takes long for fast code. The other one is done sooner than its code would run without it. */
    private static final String THREADS = "C2 CompilerThre";

    private static final int NICE = 10;

    private CompilerPriority() {}

    /**
     * Has the compiler of this process run after others from now on: a guest that waits for its memory, and the threads that bring that, are on
     * the same processors. What is not compiled yet runs slower.
     */
    public static void runLast() {
        ThreadPriority.lower(THREADS, NICE);
    }
}
