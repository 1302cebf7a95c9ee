package org.exomem.backend.log;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.exomem.cli.text.VisibleText;
import org.jspecify.annotations.Nullable;
import org.slf4j.event.Level;

/**
 * Writes log lines to stderr, each with its time and level. The journal of systemd adds the time itself; for it the level is
 * a prefix that it understands ({@code sd-daemon(3)}). Safe for use by several threads.
 */
public final class Log {
    /** The default level. */
    public static final Level DEFAULT_LEVEL = Level.INFO;

    /** The prefixes of sd-daemon(3): LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG. */
    private static final Map<Level, String> PRIORITIES =
            Map.of(Level.ERROR, "<3>", Level.WARN, "<4>", Level.INFO, "<6>", Level.DEBUG, "<7>", Level.TRACE, "<7>");

    private static final List<Level> LEVELS = List.of(Level.ERROR, Level.WARN, Level.INFO, Level.DEBUG);

    private static volatile Level level = DEFAULT_LEVEL;
    private static final boolean TO_JOURNAL = isJournal(System.getenv("JOURNAL_STREAM"), Path.of("/proc/self/fd/2"));

    private Log() {}

    /** Sets the least severe level that is logged from now on. */
    public static void level(Level least) {
        level = least;
    }

    /** The level of that name, in any case. */
    public static Optional<Level> levelNamed(String name) {
        return LEVELS.stream().filter(of -> of.name().equalsIgnoreCase(name)).findFirst();
    }

    /** The names of the levels, from the fewest lines to the most. */
    public static List<String> levelNames() {
        return LEVELS.stream().map(of -> of.name().toLowerCase(Locale.ROOT)).toList();
    }

    static boolean isEnabled(Level of) {
        return of.toInt() >= level.toInt();
    }

    static void write(Level of, String message, @Nullable Throwable failure) {
        String begin = TO_JOURNAL ? PRIORITIES.get(of) : time(OffsetDateTime.now()) + " " + of + " ";
        System.err.print(lines(begin, message, failure));
    }

    /** A line for the message. If there is a failure of exomem itself to report, a line for each line of its stack trace. */
    static String lines(@Nullable String begin, String message, @Nullable Throwable failure) {
        StringBuilder lines = new StringBuilder(128);
        lines.append(begin).append(VisibleText.line(message)).append('\n');
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            lines.append(begin)
                    .append(cause == failure ? "  " : "  caused by ")
                    .append(VisibleText.line(cause.toString()))
                    .append('\n');
            for (StackTraceElement frame : cause.getStackTrace()) {
                lines.append(begin).append("    at ").append(frame).append('\n');
            }
        }
        return lines.toString();
    }

    /** ISO 8601 with milliseconds, in local time with its offset, always of the same length. */
    static String time(OffsetDateTime time) {
        StringBuilder text = new StringBuilder(32);
        pad(text, time.getYear(), 4).append('-');
        pad(text, time.getMonthValue(), 2).append('-');
        pad(text, time.getDayOfMonth(), 2).append('T');
        pad(text, time.getHour(), 2).append(':');
        pad(text, time.getMinute(), 2).append(':');
        pad(text, time.getSecond(), 2).append('.');
        pad(text, time.getNano() / 1_000_000, 3);
        int offset = time.getOffset().getTotalSeconds() / 60;
        text.append(offset < 0 ? '-' : '+');
        pad(text, Math.abs(offset) / 60, 2).append(':');
        return pad(text, Math.abs(offset) % 60, 2).toString();
    }

    private static StringBuilder pad(StringBuilder text, int number, int digits) {
        String plain = Integer.toString(number);
        return text.append("0".repeat(Math.max(0, digits - plain.length()))).append(plain);
    }

    /**
     * True if a descriptor is the journal's. systemd passes the device and inode of a service's stderr; a shell in the
     * service may have redirected it.
     */
    static boolean isJournal(@Nullable String stream, Path descriptor) {
        if (stream == null) {
            return false;
        }
        try {
            Map<String, Object> file = Files.readAttributes(descriptor, "unix:dev,ino");
            return stream.equals(file.get("dev") + ":" + file.get("ino"));
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        }
    }
}
