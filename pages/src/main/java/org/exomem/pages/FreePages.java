package org.exomem.pages;

/**
 * Keeps which pages are free, as {@link FreePageRules} find out. Addresses and lengths are guest-physical, in bytes, and come
 * from the guest: they may be beyond its memory, and of parts of pages. Called on the thread that takes the messages.
 */
public interface FreePages {
    /** The whole pages of a range are free from now on. */
    void free(FreeReason reason, long address, long length);

    /** Pages of which any part is in the range may be used from now on, as far as this reason tells. */
    void used(FreeReason reason, long address, long length);

    /** No page is free for this reason any more. */
    void forget(FreeReason reason);

    /** From now on hints of this session count, and of no other one; 0 if none does. */
    default void session(int id) {}

    /** Everything was forgotten, because a message was lost. */
    default void lost() {}
}
