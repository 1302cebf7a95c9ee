package org.exomem.conform.strict.observers;

import java.lang.foreign.MemorySegment;
import java.util.zip.CRC32C;
import org.exomem.conform.strict.memory.GuestMemory;

/** A hash of a range of guest memory. */
final class PageContents {
    private PageContents() {}

    /** Returns the hash; 0 if the range is not in guest memory. */
    static int hash(GuestMemory memory, long address, long length) {
        MemorySegment bytes = memory.guest(address, length);
        if (bytes == null) {
            return 0;
        }
        CRC32C sum = new CRC32C();
        sum.update(bytes.asByteBuffer());
        return (int) sum.getValue();
    }
}
