package org.exomem.conform.strict.serve;

import java.time.Duration;
import java.util.List;
import org.exomem.conform.strict.ring.Chain;
import org.exomem.conform.strict.ring.Ring;
import org.exomem.conform.strict.scene.Scene;

/** The parts that are special to a balloon or a memory device. For one thread. */
interface ServedDevice {
    /** The whole present config space. */
    byte[] config(Scene scene);

    /** The driver writes the config space. */
    void written(Scene scene, int offset, byte[] data);

    /** A chain was taken; it will be served later. */
    void taken(Scene scene, Ring ring, Chain chain);

    /** How long a chain is kept before it is served; null if until the device decides. */
    Duration kept(Scene scene, Ring ring, Chain chain);

    /** Carries out a chain's request. Returns the number of bytes that were written into it. */
    long serve(Scene scene, Ring ring, Chain chain);

    /** A driver has started anew: what the earlier driver gave belongs to the guest again. */
    void driverStarted(Scene scene);

    /** What the device wants of the driver, in order. */
    List<Stage> stages();
}
