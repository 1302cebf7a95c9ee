package org.exomem.backend.command;

import org.exomem.backend.config.ByteSize;
import org.exomem.backend.config.ConfigException;

/** A size in bytes, or a difference to the present size if it has a sign. */
record SizeChange(long bytes, boolean relative) {
    static SizeChange parse(String text) throws ConfigException {
        if (text.startsWith("--")) {
            throw new ConfigException("\"" + text + "\" is not a size; options must be before \"--\"");
        }
        return switch (text.isEmpty() ? ' ' : text.charAt(0)) {
            case '+' -> new SizeChange(ByteSize.parse(text.substring(1)), true);
            case '-' -> new SizeChange(-ByteSize.parse(text.substring(1)), true);
            default -> new SizeChange(ByteSize.parse(text), false);
        };
    }

    /** The new size, for the present one. */
    long from(long present) {
        return relative ? present + bytes : bytes;
    }
}
