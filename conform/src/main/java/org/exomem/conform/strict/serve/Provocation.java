package org.exomem.conform.strict.serve;

import java.util.Locale;

/** A deliberate fault of the device, to see how the front-end reacts. A VMM may not survive it. */
public enum Provocation {
    /** No fault. */
    NONE,
    /** The device reports a config change as soon as it has a channel, before the driver has started. */
    CONFIG_CHANGE_BEFORE_START,
    /** The device reports a config change after its rings were stopped. */
    CONFIG_CHANGE_WHILE_STOPPED,
    /** The device reports that it needs a reset, by its status and a config change. */
    NEEDS_RESET,
    /** The device answers a request that asked for a reply with a failure. */
    FAILURE,
    /** The device answers a request with the answer to another one. */
    WRONG_REPLY;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
