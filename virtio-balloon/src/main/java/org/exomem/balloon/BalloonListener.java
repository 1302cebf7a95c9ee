package org.exomem.balloon;

/** Is told what a balloon's driver does, on the event loop of its VM. */
public interface BalloonListener {
    /** The driver wrote another value into config {@code actual}, in pages of 4096 bytes. */
    void actualChanged(long actual);

    /** The front-end shares other memory than before; {@code bytes} in all, 0 when it has gone. */
    default void guestMemoryChanged(long bytes) {}

    /** New statistics have come. */
    void statisticsUpdated();

    /** Free page hinting has reached another state. */
    void hintingChanged(HintingState state);
}
