package org.exomem.vhostuser.memory;

/**
 * Which pages of one region of guest memory are here, where that is not all of them: the others come when they are asked for, as in a
 * post-copy migration (VHU-PST-1). Who touches a page that is not here could wait for as long as another process likes, or spoil the page, so
 * nobody does: whoever is about to touch some asks here first. Belongs to the event loop of the VM; no method waits.
 */
public interface LatePages extends AutoCloseable {
    /**
     * Whether a range may be touched: its pages are here, and stay here. If not, pages of it are asked for, once; the session goes on
     * with what waits when some have come. A range of which a part is here may have to be asked for several times.
     *
     * @param offset of the first byte in the region
     * @param length bytes, at least 1; the range lies in the region
     */
    boolean areHere(long offset, long length);

    /** True if the pages come from elsewhere, each once, so that none may be discarded or copied before all have come. */
    default boolean isArriving() {
        return false;
    }

    /**
     * A hole was punched into the region's file for pages that nobody needs any more. What memory is elsewhere for them is given back to the host too;
     * until {@link #isDiscarding} says that this is over, whoever may use the pages again must not be told so.
     *
     * @param fileOffset of the first byte in the file
     * @param length bytes
     */
    default void discard(long fileOffset, long length) {}

    /** True while {@link #discard} is under way; when it is over the session goes on with what waits. */
    default boolean isDiscarding() {
        return false;
    }

    /** True if pages that were discarded hold zeros afterwards; otherwise anything. */
    default boolean discardsToZeros() {
        return true;
    }

    /** The region is used no more, or all of its pages have come. */
    @Override
    void close();
}
