package org.exomem.backend.http;

import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;

/**
 * Buffers for reading from and writing to the sockets of clients, reused from one small block of memory. To allocate memory
 * outside of Java's heap from the JVM, and to free it, takes a large part of a millisecond each time.
 */
public final class SocketBuffers {
    private static final int PAGE = 8192;
    /** Blocks have 2^5 pages. Larger buffers come from the JVM. */
    private static final int ORDER = 5;

    /** For all loops that serve clients. */
    public static final ByteBufAllocator ALLOCATOR = new PooledByteBufAllocator(true, 0, 1, PAGE, ORDER, 0, 0, false);

    private SocketBuffers() {}
}
