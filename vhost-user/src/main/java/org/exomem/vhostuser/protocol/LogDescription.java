package org.exomem.vhostuser.protocol;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;

/**
 * The position of the dirty log in its file (vhost-user, "Log description"; VHU-PAY-6); bytes.
 *
 * <pre>
 * 0 log size     u64
 * 8 log offset   u64
 * </pre>
 */
public record LogDescription(long size, long offset) {
    static final int SIZE = 16;

    static LogDescription decode(MemorySegment payload) {
        LogDescription log = new LogDescription(payload.get(JAVA_LONG, 0), payload.get(JAVA_LONG, 8));
        if (log.size <= 0 || log.offset < 0 || log.size > Long.MAX_VALUE - log.offset) {
            throw new FrontEndFault("SET_LOG_BASE has a log of " + Long.toUnsignedString(log.size) + " bytes at offset "
                    + Long.toUnsignedString(log.offset));
        }
        return log;
    }
}
