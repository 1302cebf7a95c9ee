package org.exomem.vhostuser.protocol;

import java.lang.foreign.MemorySegment;

/** Requests that a back-end sends on its own channel (vhost-user, "Back-end message types"). */
public enum BackEndRequest {
    /** The config space has changed; no payload. */
    CONFIG_CHANGE(2),
    /**
     * What becomes of a CONFIG_CHANGE of which the first byte was sent, and the rest shall have no effect (VHU-CFG-6). The
     * number has the same first byte, and belongs to no request: front-ends ignore it; QEMU writes a line to its log.
     */
    WITHDRAWN(0x102);

    private static final int VERSION_FLAGS = 1;

    private final int number;

    BackEndRequest(int number) {
        this.number = number;
    }

    /** The message without payload, which asks for no answer (VHU-BACK-2): a back-end that waited for one could be held up. */
    public MemorySegment encode() {
        MemorySegment message = Reply.allocate(Header.SIZE);
        new Header(number, VERSION_FLAGS, 0).encode(message);
        return message;
    }
}
