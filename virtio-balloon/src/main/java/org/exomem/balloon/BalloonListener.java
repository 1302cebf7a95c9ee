package org.exomem.balloon;

/** Receives what a balloon's driver does, on the event loop of its VM. */
public interface BalloonListener {
    /** The driver wrote another value into config {@code actual}; in pages of 4096 bytes. */
    void actualChanged(long actual);

    /** The front-end shares other memory than before: {@code bytes} in all, 0 after it has left. */
    default void guestMemoryChanged(long bytes) {}

    /** The driver has sent new statistics. */
    void statisticsUpdated();

    /** Free page hinting has reached another state. */
    void hintingChanged(HintingState state);
}
