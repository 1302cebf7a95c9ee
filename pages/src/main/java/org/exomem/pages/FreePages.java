package org.exomem.pages;

/**
 * Keeps the free pages that {@link FreePageRules} find. Addresses and lengths are guest-physical, in bytes, and untrusted:
 * they may be outside of the guest's memory, and not aligned to pages. Called on the thread that processes the messages.
 */
public interface FreePages {
    /** The whole pages of a range are free from now on. */
    void free(FreeReason reason, long address, long length);

    /** Pages of which any part is in the range may be used from now on, as far as this reason is concerned. */
    void used(FreeReason reason, long address, long length);

    /** No page is free for this reason any more. */
    void forget(FreeReason reason);

    /** From now on only hints of this session count; 0 for none. */
    default void session(int id) {}

    /** Everything was forgotten, because a message was lost. */
    default void lost() {}
}
