package org.exomem.mem;

/** The response types (VIRTIO, "Memory Device", "Device Operation"; MEM-RESP-1). */
enum Answer {
    /** Done. */
    ACK(0),
    /** Not now, and not before the requested size changes. */
    NACK(1),
    /** Not now; the driver may try again. */
    BUSY(2),
    /** The request breaks a rule. */
    ERROR(3);

    private final int number;

    Answer(int number) {
        this.number = number;
    }

    /** The number that stands for it in a response. */
    int number() {
        return number;
    }
}
