package org.exomem.backend;

import org.exomem.balloon.BalloonListener;
import org.exomem.balloon.HintingState;
import org.exomem.mem.MemListener;
import org.exomem.vhostuser.backend.EndpointListener;
import org.exomem.vhostuser.backend.FaultKind;

/** A listener that ignores all notifications. */
public class Deaf implements EndpointListener, MemListener, BalloonListener {
    @Override
    public void connected() {}

    @Override
    public void disconnected(String reason) {}

    @Override
    public void fault(FaultKind kind, String message) {}

    @Override
    public void pluggedSizeChanged(long pluggedSize) {}

    @Override
    public void refused(String reason) {}

    @Override
    public void actualChanged(long actual) {}

    @Override
    public void guestMemoryChanged(long bytes) {}

    @Override
    public void statisticsUpdated() {}

    @Override
    public void hintingChanged(HintingState state) {}
}
