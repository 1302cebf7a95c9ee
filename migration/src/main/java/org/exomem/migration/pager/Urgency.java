package org.exomem.migration.pager;

import org.exomem.linux.ThreadPriority;

/** The priorities of threads while a guest's pages are owed. */
public final class Urgency {
    private static final int FAULTS_NICE = -15;
    private static final int BACKGROUND_NICE = 10;

    private Urgency() {}

    /**
     * Gives the calling platform thread a high priority, because a thread waits for its work.
     *
     * @return false if the process has no right to that (CAP_SYS_NICE); the priority does not change then
     */
    public static boolean first() {
        return ThreadPriority.set(FAULTS_NICE);
    }

    /** Gives the calling platform thread a low priority. */
    static void last() {
        ThreadPriority.set(BACKGROUND_NICE);
    }
}
