package org.exomem.vhostuser.backend;

import java.util.concurrent.atomic.AtomicInteger;
import org.exomem.linux.LateMapping;
import org.exomem.linux.LinuxException;

/**
 * A mapping of guest memory that arrives late, with its users: its region, which makes it, and each request for its pages.
 * The last user unmaps it, on its own thread. Safe for use by several threads.
 */
final class SharedMapping {
    private final LateMapping mapping;
    private final AtomicInteger users = new AtomicInteger(1);

    SharedMapping(LateMapping mapping) {
        this.mapping = mapping;
    }

    /** Its address in this process. */
    long address() {
        return mapping.address();
    }

    /** Adds a user. Only while there is another one. */
    void use() {
        users.incrementAndGet();
    }

    /** See {@link LateMapping#bring}. For a user of the mapping. */
    boolean bring(long offset, long bytes) throws LinuxException {
        return mapping.bring(offset, bytes);
    }

    /** See {@link LateMapping#end}. Call it before the region leaves. */
    void end() {
        mapping.end();
    }

    /** Removes a user. */
    void leave() {
        if (users.decrementAndGet() == 0) {
            mapping.close();
        }
    }
}
