package org.exomem.mem;

import org.jspecify.annotations.Nullable;

/** The types of requests (VIRTIO, "Memory Device", "Device Operation"). */
enum RequestType {
    /** Plug the blocks. */
    PLUG(0),
    /** Unplug the blocks. */
    UNPLUG(1),
    /** Unplug all blocks, whichever are plugged. */
    UNPLUG_ALL(2),
    /** Report whether the blocks are plugged. */
    STATE(3);

    private static final RequestType[] ALL = values();

    private final int number;

    RequestType(int number) {
        this.number = number;
    }

    /** The number of the type in a request. */
    int number() {
        return number;
    }

    /** The type with a number, or null if there is none. */
    static @Nullable RequestType of(long number) {
        for (RequestType type : ALL) {
            if (type.number == number) {
                return type;
            }
        }
        return null;
    }
}
