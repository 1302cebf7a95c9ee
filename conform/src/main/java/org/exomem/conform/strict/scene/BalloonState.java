package org.exomem.conform.strict.scene;

import java.util.BitSet;

/**
 * What a balloon wants and knows. Pages have 4096 bytes, and their numbers count from guest address 0. For one thread.
 */
public final class BalloonState {
    public static final long PAGE = 4096;
    /** Reserved command ids of hinting. */
    public static final int STOP = 0;

    public static final int DONE = 1;

    private final BitSet pages = new BitSet();
    private final BitSet inflating = new BitSet();
    private int target;
    private long targetSince;
    private int actual;
    private int command = STOP;
    private int poison;

    /** The pages in the balloon: the device has used the request that named them. */
    public BitSet pages() {
        return pages;
    }

    /** The pages that were named on the inflate queue by requests that the device has not used. */
    public BitSet inflating() {
        return inflating;
    }

    /** num_pages. */
    public int target() {
        return target;
    }

    /** When num_pages was set, as nanoTime. */
    public long targetSince() {
        return targetSince;
    }

    public void setTarget(int numPages, long now) {
        target = numPages;
        targetSince = now;
    }

    /** The number of pages that the driver reports in the balloon. */
    public int actual() {
        return actual;
    }

    public void setActual(int numPages) {
        actual = numPages;
    }

    /** free_page_hint_cmd_id. */
    public int command() {
        return command;
    }

    public void setCommand(int id) {
        command = id;
    }

    public int poison() {
        return poison;
    }

    public void setPoison(int value) {
        poison = value;
    }
}
