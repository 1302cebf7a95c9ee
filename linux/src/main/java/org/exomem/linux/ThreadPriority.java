package org.exomem.linux;

/** How the kernel shares processors among threads. */
public final class ThreadPriority {
    private static final int PRIO_PROCESS = 0;

    private ThreadPriority() {}

    /**
     * Sets the nice value of the calling thread alone, which has to be a platform thread.
     *
     * @param nice -20, which gets the most, to 19; 0 is what others have
     * @return false if it may not have that: without CAP_SYS_NICE no less than it had
     */
    public static boolean set(int nice) {
        return LibC.setpriority(PRIO_PROCESS, 0, nice) == 0;
    }
}
