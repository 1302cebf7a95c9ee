package org.exomem.linux;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** The nice values of threads. */
public final class ThreadPriority {
    private static final int PRIO_PROCESS = 0;
    private static final int LAST = 19;
    private static final Path THREADS = Path.of("/proc/self/task");

    private ThreadPriority() {}

    /**
     * Sets the nice value of the calling thread only, which must be a platform thread.
     *
     * @param nice -20, the highest priority, to 19; 0 is the default
     * @return false if that is not allowed: without CAP_SYS_NICE it can't be lowered
     */
    public static boolean set(int nice) {
        return LibC.setpriority(PRIO_PROCESS, 0, nice) == 0;
    }

    /**
     * Increases the nice value of this process's threads with a name. Threads that they start later inherit it.
     *
     * @param name as the kernel has it, which keeps the first 15 bytes
     * @param by from 0, up to the nice value 19
     * @return the number of changed threads
     */
    public static int lower(String name, int by) {
        int changed = 0;
        String[] threads = THREADS.toFile().list();
        for (String thread : threads == null ? new String[0] : threads) {
            if (name.equals(name(thread)) && lower(Integer.parseInt(thread), by)) {
                changed++;
            }
        }
        return changed;
    }

    private static boolean lower(int thread, int by) {
        int nice = LibC.getpriority(PRIO_PROCESS, thread) + by;
        return LibC.setpriority(PRIO_PROCESS, thread, Math.min(LAST, nice)) == 0;
    }

    private static String name(String thread) {
        try {
            return Files.readString(THREADS.resolve(thread).resolve("comm"), StandardCharsets.ISO_8859_1)
                    .stripTrailing();
        } catch (IOException e) {
            // It has ended.
            return "";
        }
    }
}
