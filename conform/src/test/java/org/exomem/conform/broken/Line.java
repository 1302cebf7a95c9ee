package org.exomem.conform.broken;

import java.util.List;
import org.exomem.linux.LinuxException;

/** A connection between a front-end and a back-end, as a tampering sees it. For one thread. */
interface Line {
    /** Sends the front-end something that the back-end did not say. */
    void toFrontEnd(Message message) throws LinuxException;

    /** Sends the back-end something that the front-end did not say; what it answers to it goes to the front-end. */
    void toBackEnd(Message message) throws LinuxException;

    /** Tells the front-end that a request has succeeded, if it asked for that; the back-end need not see it. */
    void acknowledge(Message request);

    /** Sends something over the channel that the front-end gave to the back-end. */
    void overChannel(Message message);

    /** Closes the connection, to both sides, as soon as all is done that is being done. */
    void end();

    /** The back-end serves nobody any more, from the next connection on. */
    void die();

    /** Virtio feature bits that were acknowledged. */
    long features();

    /** Protocol feature bits that were acknowledged. */
    long protocolFeatures();

    GuestView memory();

    /** Those that have been set up. */
    List<RingRelay> rings();
}
