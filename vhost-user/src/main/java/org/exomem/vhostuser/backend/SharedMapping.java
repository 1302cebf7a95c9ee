package org.exomem.vhostuser.backend;

import java.util.concurrent.atomic.AtomicInteger;
import org.exomem.linux.LateMapping;
import org.exomem.linux.LinuxException;

/**
 * A mapping of guest memory that comes late, with those who use it: its region, which makes it, and each request for its pages. Whoever
 * leaves last gives the addresses back, on whichever thread that is. From any thread.
 */
final class SharedMapping {
    private final LateMapping mapping;
    private final AtomicInteger users = new AtomicInteger(1);

    SharedMapping(LateMapping mapping) {
        this.mapping = mapping;
    }

    /** Where it is in this process. */
    long address() {
        return mapping.address();
    }

    /** One more uses it; only while another one does. */
    void use() {
        users.incrementAndGet();
    }

    /** As {@link LateMapping#bring}, by one who uses it. */
    boolean bring(long offset, long bytes) throws LinuxException {
        return mapping.bring(offset, bytes);
    }

    /** As {@link LateMapping#end}, before the region leaves. */
    void end() {
        mapping.end();
    }

    /** One less uses it. */
    void leave() {
        if (users.decrementAndGet() == 0) {
            mapping.close();
        }
    }
}
