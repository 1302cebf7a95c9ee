package org.exomem.vhostuser.protocol;

/**
 * The front-end broke a rule of vhost-user. If the request has a reply, it is answered with an error; otherwise the
 * connection closes. The message says which request, which rule, and the wrong numbers.
 */
public final class FrontEndFault extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** @param message which request broke which rule, with the numbers */
    public FrontEndFault(String message) {
        super(message);
    }
}
