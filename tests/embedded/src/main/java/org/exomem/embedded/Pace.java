package org.exomem.embedded;

/** Distributes a number of pages per second over time. For one thread. */
final class Pace {
    private static final double SECOND = 1e9;

    private double owed;

    /**
     * The number of pages that are due.
     *
     * @param perSecond the rate of the whole guest, of which this processor does its share
     * @param share the number of processors
     */
    long due(long perSecond, int share, long nanos) {
        if (perSecond == Load.UNLIMITED) {
            return Load.UNLIMITED;
        }
        owed += perSecond * (nanos / SECOND) / share;
        long due = (long) owed;
        owed -= due;
        return due;
    }
}
