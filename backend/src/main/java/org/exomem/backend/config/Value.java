package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.regex.Pattern;

/** The values of options, each refused with what would be right. */
final class Value {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_.:@-]{1,64}");
    private static final Pattern GROUP = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.@-]{0,255}");

    private Value() {}

    static String name(String value) throws ConfigException {
        if (!NAME.matcher(value).matches()) {
            throw new ConfigException("\"" + value + "\" is not a name; use 1 to 64 letters, digits and . _ : @ -");
        }
        return value;
    }

    static String group(String value) throws ConfigException {
        if (!GROUP.matcher(value).matches()) {
            throw new ConfigException("\"" + value + "\" is not the name or number of a group");
        }
        return value;
    }

    static Path path(String value) throws ConfigException {
        if (value.isEmpty()) {
            throw new ConfigException("the path is empty");
        }
        if (value.indexOf('\0') >= 0) {
            throw new ConfigException("a path has no zero byte");
        }
        return Path.of(value).toAbsolutePath();
    }

    static int number(String value, int least, int most) throws ConfigException {
        try {
            int number = Integer.parseInt(value);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // falls to the complaint below, which is the same for both
        }
        throw new ConfigException("\"" + value + "\" is not a number from " + least + " to " + most);
    }

    /** The memory of a VM, in bytes. */
    static long logicalSize(String value) throws ConfigException {
        long bytes = ByteSize.parse(value);
        if (bytes < BalloonConfig.LEAST_SIZE) {
            throw new ConfigException("a VM can't live in " + ByteSize.format(bytes)
                    + "; sizes are in bytes unless they have a unit, such as 512M");
        }
        return bytes;
    }

    static boolean onOff(String value) throws ConfigException {
        return switch (value) {
            case "on", "yes", "true", "y" -> true;
            case "off", "no", "false", "n" -> false;
            default -> throw new ConfigException("\"" + value + "\" is neither on nor off");
        };
    }
}
