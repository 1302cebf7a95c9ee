package org.exomem.backend.command;

import org.exomem.backend.config.ByteSize;
import org.exomem.backend.config.ConfigException;

/** A size, or with a sign a difference to the present one, in bytes. */
record SizeChange(long bytes, boolean relative) {
    /** @param command the one whose help explains what it takes */
    static SizeChange parse(String text, String command) throws ConfigException {
        if (text.startsWith("--")) {
            throw new ConfigException(
                    "\"" + text + "\" is neither an option nor a size; see exomem " + command + " --help");
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
