package org.exomem.backend.config;

import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Who may connect to a socket that exomem listens on: on Linux whoever may write to it.
 *
 * @param mode permission bits of the socket's file, 0 to 0777
 * @param group the name or number of the group that the file belongs to, if not the process's own
 */
public record SocketAccess(int mode, Optional<String> group) {
    /** The process's own user only. */
    public static final SocketAccess OWNER = new SocketAccess(0600, Optional.empty());

    /** What a socket has whose group is named and whose mode is not. */
    private static final int OWNER_AND_GROUP = 0660;

    private static final Pattern OCTAL = Pattern.compile("0?[0-7]{3}");

    /** Of what an operator gave, or did not give. */
    static SocketAccess of(@Nullable Integer mode, @Nullable String group) {
        return new SocketAccess(
                mode != null ? mode : group != null ? OWNER_AND_GROUP : OWNER.mode, Optional.ofNullable(group));
    }

    static int parseMode(String text) throws ConfigException {
        if (!OCTAL.matcher(text).matches()) {
            throw new ConfigException("\"" + text + "\" is not a mode; write it in octal, such as 0660");
        }
        return Integer.parseInt(text, 8);
    }

    /** The mode as Java has it. */
    public Set<PosixFilePermission> permissions() {
        StringBuilder text = new StringBuilder();
        for (int bit = 8; bit >= 0; bit--) {
            text.append((mode >>> bit & 1) != 0 ? "xwr".charAt(bit % 3) : '-');
        }
        return PosixFilePermissions.fromString(text.toString());
    }

    @Override
    public String toString() {
        return String.format("%04o", mode) + group.map(name -> " " + name).orElse("");
    }
}
