package org.exomem.backend.template;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.exomem.backend.qmp.Json;

/**
 * A separate program that acts as a VMM: it waits for a guest on its QMP socket, loads no state, and does not end when
 * it is asked to.
 */
final class WaitingProgram {
    private WaitingProgram() {}

    /** @param arguments the socket */
    public static void main(String[] arguments) throws IOException {
        try (ServerSocketChannel listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                .bind(UnixDomainSocketAddress.of(Path.of(arguments[0])))) {
            System.out.println("listens");
            while (true) {
                try (SocketChannel client = listening.accept();
                        BufferedReader lines = new BufferedReader(Channels.newReader(client, StandardCharsets.UTF_8))) {
                    send(client, "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 11}}, \"capabilities\": []}}");
                    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                        send(client, reply(Json.parse(line)));
                    }
                } catch (IOException e) {
                    // The client has closed its connection.
                }
            }
        }
    }

    private static String reply(JsonNode request) {
        String command = request.path("execute").asText();
        String answer = switch (command) {
            case "qmp_capabilities" -> "\"return\": {}";
            case "query-commands" -> "\"return\": []";
            case "query-status" -> "\"return\": {\"status\": \"inmigrate\", \"running\": false}";
            default -> "\"error\": {\"class\": \"GenericError\", \"desc\": \"does no " + command + "\"}";
        };
        return "{" + answer + ", \"id\": " + request.path("id") + "}";
    }

    private static void send(SocketChannel client, String message) throws IOException {
        client.write(StandardCharsets.UTF_8.encode(message + "\r\n"));
    }
}
