package org.exomem.migration.precopy;

import java.io.IOException;

/** What the engine asks of the VMM that runs the guest. Called on the engine's thread only. */
public interface GuestControl {
    /**
     * Prepares the pause while the guest runs on: whatever takes time and can be done before (a device that the VMM can't
     * migrate is taken out). Called once, when the rounds have come to their end; if it took time, another one follows.
     */
    default void prepare() throws IOException {}

    /**
     * Stops the guest and everything that writes its memory. When it returns, all writes have been told to the sources of
     * dirtiness, and none follows.
     */
    void pause() throws IOException;

    /**
     * The guest that {@link #pause} has stopped stays so, unless the migration fails: what else there is of it can be saved, next to the last
     * round.
     */
    default void paused() throws IOException {}

    /** Lets a guest run on that was paused, or half so, because the migration has failed. */
    void resume() throws IOException;

    /**
     * Makes the guest slower, so that it writes less.
     *
     * @param percent of its time that it is to stand still, 0 to 99; 0 lets it run freely again
     * @return false if that is not possible
     */
    default boolean throttle(int percent) throws IOException {
        return false;
    }
}
