package org.exomem.conform.strict.serve;

import java.util.Locale;

/** What the device does on purpose to see what the front-end makes of it. A VMM may not survive it. */
public enum Provocation {
    /** Nothing. */
    NONE,
    /** It tells of a config change as soon as it has a channel, before the driver has started. */
    CONFIG_CHANGE_BEFORE_START,
    /** It tells of a config change when its rings have been stopped. */
    CONFIG_CHANGE_WHILE_STOPPED,
    /** It tells that it needs a reset, by its status and a config change. */
    NEEDS_RESET,
    /** It answers a request that asked for a reply with a failure. */
    FAILURE,
    /** It answers a question with an answer to another one. */
    WRONG_REPLY;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
