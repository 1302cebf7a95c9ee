package org.exomem.mem;

/** The response types (VIRTIO, "Memory Device", "Device Operation"; MEM-RESP-1). */
enum Answer {
    /** Done. */
    ACK(0),
    /** Refused, and refused again until the requested size changes. */
    NACK(1),
    /** Refused for now; the driver may try again. */
    BUSY(2),
    /** The request breaks a rule. */
    ERROR(3);

    private final int number;

    Answer(int number) {
        this.number = number;
    }

    /** The number of the response type. */
    int number() {
        return number;
    }
}
