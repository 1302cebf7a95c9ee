package org.exomem.conformance.frontend;

/**
 * A region of guest memory as the wire describes it; all numbers are bytes.
 *
 * @param guestAddress guest-physical address of the first byte
 * @param userAddress the front-end's own address of the first byte
 * @param fileOffset where the region begins in its file
 */
public record Region(long guestAddress, long size, long userAddress, long fileOffset) {
    /** The same region under GPA_ADDRESSES, where the user address is the guest's (VHU-MEM-8). */
    public Region withGuestAddresses() {
        return new Region(guestAddress, size, guestAddress, fileOffset);
    }
}
