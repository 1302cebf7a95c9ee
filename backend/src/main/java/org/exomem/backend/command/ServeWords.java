package org.exomem.backend.command;

import java.nio.file.Path;
import java.util.Optional;

/**
 * Reads the everyday words of {@code exomem serve} without picocli, which needs half of the time of a start to get ready.
 * Whatever is not plain (help, an unknown or repeated word, a value that is missing) is left to picocli, which then
 * explains, so both always agree.
 */
final class ServeWords {
    private ServeWords() {}

    /** The command with its options set, or nothing where picocli must look. */
    static Optional<ServeCommand> parse(String... words) {
        if (words.length == 0 || !words[0].equals("serve")) {
            return Optional.empty();
        }
        ServeCommand serve = new ServeCommand();
        for (int i = 1; i < words.length; i++) {
            int equals = words[i].indexOf('=');
            String name = equals < 0 ? words[i] : words[i].substring(0, equals);
            if (equals < 0 && (++i == words.length || words[i].startsWith("-"))) {
                return Optional.empty();
            }
            String value = equals < 0 ? words[i] : words[i].substring(equals + 1);
            if (value.isEmpty() || !set(serve, name, value)) {
                return Optional.empty();
            }
        }
        return Optional.of(serve);
    }

    private static boolean set(ServeCommand serve, String name, String value) {
        switch (name) {
            case "--balloon" -> serve.balloons.add(value);
            case "--mem" -> serve.mems.add(value);
            case "--control" -> {
                if (serve.control != null) {
                    return false;
                }
                serve.control = value;
            }
            case "--state" -> {
                if (serve.state != null) {
                    return false;
                }
                serve.state = Path.of(value);
            }
            case "--config" -> {
                if (serve.config != null) {
                    return false;
                }
                serve.config = Path.of(value);
            }
            case "--socket-path" -> {
                if (serve.socketPath != null) {
                    return false;
                }
                serve.socketPath = Path.of(value);
            }
            default -> {
                return false;
            }
        }
        return true;
    }
}
