package org.exomem.conform.strict.observers;

import java.lang.foreign.MemorySegment;
import java.util.zip.CRC32C;
import org.exomem.conform.strict.memory.GuestMemory;

/** What a range of guest memory holds, as a number that changes with it. */
final class PageContents {
    private PageContents() {}

    /** 0 if the range is not in guest memory. */
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
