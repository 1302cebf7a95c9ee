package org.exomem.migration.pager;

import java.io.IOException;

/**
 * The address space of a VMM, accessed by a userfaultfd: reports which pages threads wait for, and gives pages. Addresses
 * and lengths in bytes. Errors are negative error numbers, as in {@link org.exomem.linux.PageGiver}.
 */
public interface AddressSpace {
    /**
     * Takes the touches for which threads wait, as many as there are and this can hold. Drops those that were taken before.
     * For one thread.
     *
     * @return the number of touches
     * @throws IOException if they can't be read
     */
    int take() throws IOException;

    /** The address of a touch that was taken; 0 if the message is not a touch. */
    long address(int index);

    /** Returns a new object that gives pages. Each is for one thread. */
    Giver giver();

    /** Gives pages. */
    interface Giver {
        /**
         * @param content address in this process
         * @return the bytes that were copied, from the beginning, or a negative error number
         */
        long copy(long address, long length, long content);

        /** As {@link #copy}, with zeros. */
        long zeros(long address, long length);

        /** Lets threads that wait in the range touch it again. */
        long wake(long address, long length);
    }
}
