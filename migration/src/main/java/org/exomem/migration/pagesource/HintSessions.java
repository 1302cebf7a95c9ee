package org.exomem.migration.pagesource;

/** Asks a guest's balloon driver for free page hints. Never waits: hints arrive in a page feed. */
public interface HintSessions {
    /** For a guest that is never asked. */
    HintSessions NONE = new HintSessions() {
        @Override
        public void begin() {}

        @Override
        public void end() {}
    };

    /** Begins a session with a new command id; it replaces a session that is under way. */
    void begin();

    /** Stops the session. The driver keeps the hinted pages until it receives DONE (MIG-HINT-6). */
    void end();
}
