package org.exomem.fuzz;

import org.exomem.balloon.BalloonListener;
import org.exomem.balloon.HintingState;
import org.exomem.mem.MemListener;

/** A listener for devices that ignores all notifications. */
final class Listeners implements BalloonListener, MemListener {
    @Override
    public void actualChanged(long actual) {}

    @Override
    public void statisticsUpdated() {}

    @Override
    public void hintingChanged(HintingState state) {}

    @Override
    public void pluggedSizeChanged(long pluggedSize) {}

    @Override
    public void refused(String reason) {}
}
