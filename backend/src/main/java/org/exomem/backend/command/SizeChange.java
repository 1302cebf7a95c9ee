package org.exomem.backend.command;

import org.exomem.backend.config.ByteSize;
import org.exomem.backend.config.ConfigException;

/** A size, or with a sign a difference to the present one, in bytes. */
record SizeChange(long bytes, boolean relative) {
    static SizeChange parse(String text) throws ConfigException {
        if (text.startsWith("--")) {
            throw new ConfigException("\"" + text + "\" is not a size; options stand before \"--\"");
        }
        return switch (text.isEmpty() ? ' ' : text.charAt(0)) {
            case '+' -> new SizeChange(ByteSize.parse(text.substring(1)), true);
            case '-' -> new SizeChange(-ByteSize.parse(text.substring(1)), true);
            default -> new SizeChange(ByteSize.parse(text), false);
        };
    }

    /** What it comes to from the present size. */
    long from(long present) {
        return relative ? present + bytes : bytes;
    }
}
