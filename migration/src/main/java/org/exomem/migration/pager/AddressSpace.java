package org.exomem.migration.pager;

import java.io.IOException;

/**
 * The address space of a VMM, as a userfaultfd has it: who waits for a page, and giving pages. Addresses and lengths in bytes.
 * What can't be done is said by a negative error number, as in {@link org.exomem.linux.PageGiver}.
 */
public interface AddressSpace {
    /**
     * Takes the touches for which somebody waits, as many as there are and as this can hold; the ones taken before are forgotten.
     * For one thread.
     */
    int take() throws IOException;

    /** The address of a touch that was taken; 0 for what is no touch. */
    long address(int index);

    /** Another one who gives pages. Each belongs to one thread. */
    Giver giver();

    /** Gives pages. */
    interface Giver {
        /**
         * @param content address in this process
         * @return bytes that were copied from the beginning on, or a negative error number
         */
        long copy(long address, long length, long content);

        /** The same with zeros. */
        long zeros(long address, long length);

        /** Has whoever waits in the range touch it again. */
        long wake(long address, long length);
    }
}
