package org.exomem.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/** Native memory for the arguments of system calls; freed by the garbage collector. */
final class NativeBuffer {
    private NativeBuffer() {}

    static MemorySegment ofSize(long bytes) {
        return Arena.ofAuto().allocate(bytes, 8);
    }

    static MemorySegment ofUtf8(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        MemorySegment segment = ofSize(bytes.length + 1L);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, segment, 0, bytes.length);
        return segment;
    }
}
