package org.exomem.vhostuser.memory;

/**
 * The present pages of one region of guest memory, if not all are: others arrive on request, as in a post-copy migration
 * (VHU-PST-1). A touch of a missing page could block for as long as another process likes, or spoil the page. So a caller
 * must ask here before it touches pages. Used on the VM's event loop; no method waits.
 */
public interface LatePages extends AutoCloseable {
    /**
     * Returns whether a range may be touched: its pages are present, and remain present. Otherwise pages of it are
     * requested, once, and the session continues the waiting work when some have arrived. A range that is partly present may
     * have to be requested several times.
     *
     * @param offset of the first byte in the region
     * @param length in bytes, at least 1; the range is in the region
     */
    boolean areHere(long offset, long length);

    /**
     * True if the pages arrive from elsewhere, each once, so that none may be discarded or copied before all have arrived.
     */
    default boolean isArriving() {
        return false;
    }

    /**
     * A hole was punched in the region's file for pages that are not needed any more. Memory elsewhere for these pages is
     * given back to the host too. Until {@link #isDiscarding} is false, the guest must not be told that it may use the pages
     * again.
     *
     * @param fileOffset of the first byte in the file
     * @param length in bytes
     */
    default void discard(long fileOffset, long length) {}

    /** True while {@link #discard} is under way. When it is over, the session continues the waiting work. */
    default boolean isDiscarding() {
        return false;
    }

    /** True if discarded pages are zeros afterwards; otherwise their content is undefined. */
    default boolean discardsToZeros() {
        return true;
    }

    /** The region is not used any more, or all of its pages have arrived. */
    @Override
    void close();
}
