package org.exomem.backend.control;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Objects;
import org.exomem.backend.qmp.Json;

/** Sends raw bytes, and reads lines. */
final class RawClient implements AutoCloseable {
    private final SocketChannel channel;
    private final BufferedReader lines;

    RawClient(Path socket) throws IOException {
        channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        channel.connect(UnixDomainSocketAddress.of(socket));
        lines = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
    }

    /** Connects, reads the greeting, and negotiates. */
    static RawClient negotiated(Path socket) throws IOException {
        RawClient client = new RawClient(socket);
        client.receive();
        client.send("{'execute': 'qmp_capabilities'}");
        client.receive();
        return client;
    }

    /** Sends text in which ' stands for ". */
    void send(String text) throws IOException {
        sendAsIs(text.replace('\'', '"'));
    }

    void sendAsIs(String text) throws IOException {
        sendBytes(text.getBytes(StandardCharsets.UTF_8));
    }

    void sendBytes(byte[] all) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(all);
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Shuts down the output: the server sees the end of input. */
    void endOfInput() throws IOException {
        channel.shutdownOutput();
    }

    JsonNode receive() throws IOException {
        return Json.parse(Objects.requireNonNull(lines.readLine(), "the server closed the connection"));
    }

    /** True if the server has closed the connection without further output. */
    boolean isAtEnd() throws IOException {
        return lines.readLine() == null;
    }

    /** Sends a command, and returns the answer as JSON in which ' stands for ". */
    String ask(String text) throws IOException {
        send(text);
        return receive().toString().replace('"', '\'');
    }

    /** The next event with that name; skips others. */
    JsonNode event(String name) throws IOException {
        JsonNode message = receive();
        while (!message.path("event").asText().equals(name)) {
            message = receive();
        }
        return message;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
