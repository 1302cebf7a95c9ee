package org.exomem.backend.http;

/** An answer that goes on. Called on the server's thread, and must not wait. */
public interface HttpStream {
    /** Begins. Called at most once, and not if the client has gone before. */
    void begin(Client client);

    /** The client has gone, or never began. Called once. */
    void gone();

    /** The receiver. Any thread may call it. */
    interface Client {
        /** Sends bytes. Returns false if the client has gone, or has not read what was sent before. */
        boolean send(byte[] some);

        /** Ends the answer. */
        void end();
    }
}
