package org.exomem.backend.http;

import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;

/**
 * Buffers for what is read from and written to sockets of clients. They are taken again and again from one small piece of memory: to get
 * memory outside of Java's heap from the JVM and to give it back takes a good part of a millisecond, each time.
 */
public final class SocketBuffers {
    private static final int PAGE = 8192;
    /** Pieces of memory have 2^5 pages. What is larger than that comes from the JVM. */
    private static final int ORDER = 5;

    /** For all loops that serve clients. */
    public static final ByteBufAllocator ALLOCATOR = new PooledByteBufAllocator(true, 0, 1, PAGE, ORDER, 0, 0, false);

    private SocketBuffers() {}
}
