package org.exomem.benchmarks;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Pins threads to processors. A wake-up costs a few microseconds on the waker's processor, and many times that on
 * another. The kernel chooses the processor by the other load of the machine. So threads whose times are compared must
 * be placed in the same way.
 */
final class Affinity {
    /** The number of processors. The JVM counts only those that its thread may use. */
    static final int CPUS = Runtime.getRuntime().availableProcessors();

    static {
        Native.register(Affinity.class, "c");
    }

    private Affinity() {}

    /** Pins the calling thread to one processor, 0 to 63. */
    static void tie(int cpu) {
        set(0, 1L << cpu);
    }

    /** Lets the calling thread run anywhere. */
    static void untie() {
        set(0, (1L << CPUS) - 1);
    }

    /** Pins the threads with that name of another process. */
    static void tie(long pid, String name, int cpu) throws IOException {
        for (Path thread : ProcessUsage.threads(pid, name)) {
            set(Integer.parseInt(thread.getFileName().toString()), 1L << cpu);
        }
    }

    private static void set(int thread, long cpus) {
        try (Memory mask = new Memory(Long.BYTES)) {
            mask.setLong(0, cpus);
            if (sched_setaffinity(thread, Long.BYTES, Pointer.nativeValue(mask)) < 0) {
                throw new IllegalStateException("sched_setaffinity: errno " + Native.getLastError());
            }
        }
    }

    private static native int sched_setaffinity(int thread, long size, long mask);
}
