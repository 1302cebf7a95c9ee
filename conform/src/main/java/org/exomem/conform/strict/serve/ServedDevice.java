package org.exomem.conform.strict.serve;

import java.time.Duration;
import java.util.List;
import org.exomem.conform.strict.ring.Chain;
import org.exomem.conform.strict.ring.Ring;
import org.exomem.conform.strict.scene.Scene;

/** What makes the device a balloon or a memory device. For one thread. */
interface ServedDevice {
    /** The whole config space, as it is now. */
    byte[] config(Scene scene);

    /** The driver writes the config space. */
    void written(Scene scene, int offset, byte[] data);

    /** A chain was taken; it will be served later. */
    void taken(Scene scene, Ring ring, Chain chain);

    /** How long a chain is kept before it is served; null if until the device wants to. */
    Duration kept(Scene scene, Ring ring, Chain chain);

    /** Does what a chain asks for; returns how many bytes were written into it. */
    long serve(Scene scene, Ring ring, Chain chain);

    /** A driver has started anew: what the one before had given is its own again. */
    void driverStarted(Scene scene);

    /** What the device wants of the driver, one after the other. */
    List<Stage> stages();
}
