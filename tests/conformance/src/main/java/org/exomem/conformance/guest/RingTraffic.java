package org.exomem.conformance.guest;

import java.util.List;

/** Is told of what a driver does with its rings, and of what comes back. Called by the driver's thread; must not block. */
public interface RingTraffic {
    /** Is told, and does nothing. */
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

    /** A chain came back. */
    void used(int ring, Used used);
}
