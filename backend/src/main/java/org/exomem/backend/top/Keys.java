package org.exomem.backend.top;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import org.exomem.backend.top.TopScreen.Key;
import org.jline.utils.NonBlockingReader;

/** Decodes keys from what a terminal sends. */
public final class Keys {
    /** If nothing follows Esc within this time, it is the key Esc. */
    private static final long ESCAPE_MILLIS = 50;

    private static final char ESCAPE = '\033';
    private static final char END = '\004';
    private static final char INTERRUPT = '\003';
    private static final char DELETE = '\177';
    /** Longer than any known sequence. */
    private static final int LONGEST = 16;

    private final NonBlockingReader from;

    public Keys(NonBlockingReader from) {
        this.from = from;
    }

    /** The next key; empty if none arrives within the limit. QUIT if the terminal has closed. */
    public Optional<Key> next(Duration limit) throws IOException {
        int first = from.read(Math.max(1, limit.toMillis()));
        return switch (first) {
            case NonBlockingReader.READ_EXPIRED -> Optional.empty();
            case NonBlockingReader.EOF -> Optional.of(Key.QUIT);
            case ESCAPE -> Optional.of(sequence());
            default -> Optional.of(plain((char) first));
        };
    }

    private static Key plain(char key) {
        return switch (key) {
            case 'q', 'Q', INTERRUPT, END -> Key.QUIT;
            case '\r', '\n' -> Key.ENTER;
            case '\b', DELETE -> Key.BACK;
            case '+', '=' -> Key.PLUS;
            case '-' -> Key.MINUS;
            case '0' -> Key.HOME;
            case 'k' -> Key.UP;
            case 'j' -> Key.DOWN;
            case 'h' -> Key.LEFT;
            case 'l' -> Key.RIGHT;
            default -> Key.OTHER;
        };
    }

    /** The sequence after Esc: {@code [} or {@code O}, perhaps numbers, and a letter or a tilde. */
    private Key sequence() throws IOException {
        int introducer = from.read(ESCAPE_MILLIS);
        if (introducer != '[' && introducer != 'O') {
            return Key.BACK;
        }
        StringBuilder numbers = new StringBuilder();
        for (int i = 0; i < LONGEST; i++) {
            int next = from.read(ESCAPE_MILLIS);
            if (next >= '@' && next <= '~') {
                return named((char) next, numbers.toString());
            }
            if (next < 0) {
                break;
            }
            numbers.append((char) next);
        }
        return Key.OTHER;
    }

    private static Key named(char end, String numbers) {
        return switch (end) {
            case 'A' -> Key.UP;
            case 'B' -> Key.DOWN;
            case 'C' -> Key.RIGHT;
            case 'D' -> Key.LEFT;
            case 'H' -> Key.HOME;
            case '~' -> numbers.equals("1") || numbers.equals("7") ? Key.HOME : Key.OTHER;
            default -> Key.OTHER;
        };
    }
}
