package org.exomem.conformance.frontend;

/**
 * A region of guest memory as described on the wire. All numbers are bytes.
 *
 * @param guestAddress guest-physical address of the first byte
 * @param userAddress the front-end's own address of the first byte
 * @param fileOffset offset of the region in its file
 */
public record Region(long guestAddress, long size, long userAddress, long fileOffset) {
    /** Returns the same region under GPA_ADDRESSES, where the user address is the guest's (VHU-MEM-8). */
    public Region withGuestAddresses() {
        return new Region(guestAddress, size, guestAddress, fileOffset);
    }
}
