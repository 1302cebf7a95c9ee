package org.exomem.conformance.guest;

import java.util.List;

/**
 * Notified of a driver's actions on its rings, and of returned chains. Called by the driver's thread; must not block.
 */
public interface RingTraffic {
    /** Ignores all notifications. */
    RingTraffic UNWATCHED = new RingTraffic() {
        @Override
        public void added(int ring, int id, List<Buffer> chain) {}

        @Override
        public void kicked(int ring) {}

        @Override
        public void used(int ring, Used used) {}
    };

    /** A chain was made available. */
    void added(int ring, int id, List<Buffer> chain);

    /** The device was notified. */
    void kicked(int ring);

    /** A chain has returned. */
    void used(int ring, Used used);
}
