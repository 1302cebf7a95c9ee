package org.exomem.backend.config;

import java.io.IOException;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import java.util.regex.Pattern;
import org.exomem.linux.HandedSockets;
import org.exomem.linux.SocketAccess;

/** Parsers for the values of options. An error message says what would be right. */
final class Value {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_.:@-]{1,64}");
    private static final Pattern MODE = Pattern.compile("0?[0-7]{3}");

    private Value() {}

    static String name(String value) throws ConfigException {
        if (!NAME.matcher(value).matches()) {
            throw new ConfigException("\"" + value + "\" is not a name; use 1 to 64 letters, digits and . _ : @ -");
        }
        return value;
    }

    /** May ask a directory service, and so take long. */
    static GroupPrincipal group(String value) throws ConfigException {
        try {
            return SocketAccess.group(value);
        } catch (UserPrincipalNotFoundException e) {
            throw new ConfigException("there is no group \"" + value + "\" on this host");
        } catch (IOException e) {
            throw new ConfigException("the group \"" + value + "\" can't be looked up: " + e.getMessage());
        }
    }

    /** Permission bits. */
    static int mode(String value) throws ConfigException {
        if (!MODE.matcher(value).matches()) {
            throw new ConfigException("\"" + value + "\" is not a mode; write it in octal, such as 0660");
        }
        return Integer.parseInt(value, 8);
    }

    static Path path(String value) throws ConfigException {
        if (value.isEmpty()) {
            throw new ConfigException("the path is empty");
        }
        if (value.indexOf('\0') >= 0) {
            throw new ConfigException("the path contains a zero byte");
        }
        return Path.of(value).toAbsolutePath();
    }

    /** A descriptor, by its number or by its name from a service manager. */
    static int inherited(String value) throws ConfigException {
        if (value.isEmpty() || Character.isDigit(value.charAt(0)) || value.startsWith("-")) {
            return number(value, 0, Integer.MAX_VALUE);
        }
        HandedSockets handed = HandedSockets.ofProcess();
        return handed.named(value)
                .orElseThrow(() -> new ConfigException("no socket \"" + value + "\" was passed to this process"
                        + (handed.toString().isEmpty() ? "" : "; there are " + handed)));
    }

    static int number(String value, int least, int most) throws ConfigException {
        try {
            int number = Integer.parseInt(value);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // falls through to the error below, which is the same for both
        }
        throw new ConfigException("\"" + value + "\" is not a number from " + least + " to " + most);
    }

    /** The memory of a VM, in bytes. */
    static long logicalSize(String value) throws ConfigException {
        long bytes = ByteSize.parse(value);
        if (bytes < BalloonConfig.LEAST_SIZE) {
            throw new ConfigException(ByteSize.format(bytes)
                    + " is too small for a VM; sizes are in bytes unless they have a unit, such as 512M");
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
