package org.exomem.backend.http;

/** What a client is told one after the other. Called on the server's thread; nothing here waits. */
public interface HttpStream {
    /** Begins; at most once. Not called if the client is gone before. */
    void begin(Client client);

    /** The client is gone, or was never there. Called once. */
    void gone();

    /** Whom it goes to. For any thread. */
    interface Client {
        /** Sends some; false if the client is gone, or does not read what was sent before. */
        boolean send(byte[] some);

        /** Nothing more comes. */
        void end();
    }
}
