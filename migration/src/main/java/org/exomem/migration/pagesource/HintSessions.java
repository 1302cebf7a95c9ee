package org.exomem.migration.pagesource;

/** Asks a guest for hints. Never waits: what comes of it, if anything, comes through a feed. */
public interface HintSessions {
    /** A guest that is never asked. */
    HintSessions NONE = new HintSessions() {
        @Override
        public void begin() {}

        @Override
        public void end() {}
    };

    /** Asks under a new command id; a session under way is replaced. */
    void begin();

    /** No more hints are wanted. The driver keeps the pages: it may have them back when the migration is over. */
    void end();
}
