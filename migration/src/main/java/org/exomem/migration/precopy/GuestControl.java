package org.exomem.migration.precopy;

import java.io.IOException;

/** The engine's requests to the VMM that runs the guest. Called on the engine's thread only. */
public interface GuestControl {
    /**
     * Prepares the pause while the guest runs: does what takes time and is possible before, such as removing a device that
     * the VMM can't migrate. Called once, after the rounds; if it took time, another round follows.
     *
     * @throws IOException if the guest can't leave
     */
    default void prepare() throws IOException {}

    /**
     * Stops the guest and everything that writes its memory. When it returns, all writes were reported to the sources of
     * written pages, and no write follows.
     *
     * @throws IOException if the guest can't be stopped
     */
    void pause() throws IOException;

    /**
     * The guest stays stopped after {@link #pause}, unless the migration fails. So the rest of its state can be saved in
     * parallel with the last round.
     *
     * @throws IOException if the migration must fail
     */
    default void paused() throws IOException {}

    /**
     * Resumes a guest that was paused, or partly paused, because the migration has failed or the pause is tried again.
     *
     * @throws IOException if the guest can't be resumed
     */
    void resume() throws IOException;

    /**
     * Slows the guest down, so that it writes less.
     *
     * @param percent of its time during which it is stopped, 0 to 99; 0 for full speed
     * @return false if that is not possible
     * @throws IOException if the VMM refuses
     */
    default boolean throttle(int percent) throws IOException {
        return false;
    }
}
