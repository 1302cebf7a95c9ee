package org.exomem.conform.broken;

import java.util.List;
import org.exomem.linux.LinuxException;

/** A connection between a front-end and a back-end, as a tampering sees it. For one thread. */
interface Line {
    /** Sends the front-end a message that is not from the back-end. */
    void toFrontEnd(Message message) throws LinuxException;

    /** Sends the back-end a message that is not from the front-end. The front-end gets the answer. */
    void toBackEnd(Message message) throws LinuxException;

    /**
     * Reports the success of a request to the front-end, if it asked for that. The back-end need not see the request.
     */
    void acknowledge(Message request);

    /** Sends a message over the channel that the front-end gave to the back-end. */
    void overChannel(Message message);

    /** Closes the connection to both sides, as soon as the present work is done. */
    void end();

    /** The back-end serves no connections any more, from the next one on. */
    void die();

    /** Virtio feature bits that were acknowledged. */
    long features();

    /** Protocol feature bits that were acknowledged. */
    long protocolFeatures();

    GuestView memory();

    /** The rings that have been set up. */
    List<RingRelay> rings();
}
