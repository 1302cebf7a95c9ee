package org.exomem.vhostuser.protocol;

import java.lang.foreign.MemorySegment;

/** Requests that a back-end sends on its own channel (vhost-user, "Back-end message types"). */
public enum BackEndRequest {
    /** The config space has changed; no payload. */
    CONFIG_CHANGE(2),
    /**
     * The end of a CONFIG_CHANGE whose first byte was sent, and that must have no effect (VHU-CFG-6). The number has the
     * same first byte, and belongs to no request: front-ends ignore it; QEMU writes a line to its log.
     */
    WITHDRAWN(0x102);

    private static final int VERSION_FLAGS = 1;

    private final int number;

    BackEndRequest(int number) {
        this.number = number;
    }

    /** The message without payload, which requests no answer (VHU-BACK-2), because a wait for an answer could block. */
    public MemorySegment encode() {
        MemorySegment message = Reply.allocate(Header.SIZE);
        new Header(number, VERSION_FLAGS, 0).encode(message);
        return message;
    }
}
