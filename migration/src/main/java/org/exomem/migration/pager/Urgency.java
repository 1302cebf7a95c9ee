package org.exomem.migration.pager;

import org.exomem.linux.ThreadPriority;

/** Which threads the kernel is to run first while a guest's pages are owed. */
public final class Urgency {
    private static final int FAULTS_NICE = -15;
    private static final int BACKGROUND_NICE = 10;

    private Urgency() {}

    /**
     * Has the calling platform thread run before all that are as they were: somebody waits for what it does.
     *
     * @return false if the process has no right to that (CAP_SYS_NICE): it stays as it is
     */
    public static boolean first() {
        return ThreadPriority.set(FAULTS_NICE);
    }

    /** Has the calling platform thread run after others. */
    static void last() {
        ThreadPriority.set(BACKGROUND_NICE);
    }
}
