package org.exomem.vhostuser.virtqueue;

/**
 * The guest's driver broke a rule of VIRTIO: its queue is not processed any more, and the device needs a reset. The message
 * says which rule, with the wrong numbers.
 */
public final class DriverFault extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** @param message which rule was broken, with the numbers */
    public DriverFault(String message) {
        super(message);
    }
}
