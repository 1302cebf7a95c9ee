package org.exomem.backend.command;

import java.util.Optional;

/**
 * Reads the everyday options of {@code exomem serve} without picocli, which takes half of the time of a start to get ready.
 * The names are those that picocli has. Whatever is not plain (help, an unknown or repeated option, a value that is missing
 * or empty) is left to picocli, which then explains, so both always agree.
 */
final class ServeFastPath {
    private ServeFastPath() {}

    /** The command with its options set, or nothing where picocli must look. */
    static Optional<ServeCommand> parse(String... arguments) {
        if (arguments.length == 0 || !arguments[0].equals("serve")) {
            return Optional.empty();
        }
        ServeCommand serve = new ServeCommand();
        for (int i = 1; i < arguments.length; i++) {
            int equals = arguments[i].indexOf('=');
            String name = equals < 0 ? arguments[i] : arguments[i].substring(0, equals);
            if (equals < 0 && (++i == arguments.length || arguments[i].startsWith("-"))) {
                return Optional.empty();
            }
            String value = equals < 0 ? arguments[i] : arguments[i].substring(equals + 1);
            if (value.isEmpty() || !set(serve, name, value)) {
                return Optional.empty();
            }
        }
        return Optional.of(serve);
    }

    private static boolean set(ServeCommand serve, String name, String value) {
        switch (name) {
            case ServeCommand.BALLOON -> serve.balloons.add(value);
            case ServeCommand.MEM -> serve.mems.add(value);
            case ServeCommand.CONTROL -> {
                if (serve.control != null) {
                    return false;
                }
                serve.control = value;
            }
            case ServeCommand.STATE -> {
                if (serve.state != null) {
                    return false;
                }
                serve.state = value;
            }
            case ServeCommand.CONFIG -> {
                if (serve.config != null) {
                    return false;
                }
                serve.config = value;
            }
            case ServeCommand.MAX_MEMORY -> {
                if (serve.maxMemory != null) {
                    return false;
                }
                serve.maxMemory = value;
            }
            case ServeCommand.SOCKET_PATH -> {
                if (serve.socketPath != null) {
                    return false;
                }
                serve.socketPath = value;
            }
            default -> {
                return false;
            }
        }
        return true;
    }
}
