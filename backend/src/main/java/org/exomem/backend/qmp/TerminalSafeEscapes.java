package org.exomem.backend.qmp;

import com.fasterxml.jackson.core.SerializableString;
import com.fasterxml.jackson.core.io.CharacterEscapes;
import com.fasterxml.jackson.core.io.SerializedString;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Escapes what JSON requires, and in addition all control characters, which may control a terminal, and surrogates, as a
 * single one can't be encoded in UTF-8.
 */
final class TerminalSafeEscapes extends CharacterEscapes {
    private static final long serialVersionUID = 1L;
    private static final char DELETE = 0x7f;

    @Override
    public int[] getEscapeCodesForAscii() {
        int[] codes = standardAsciiEscapesForJSON();
        codes[DELETE] = ESCAPE_STANDARD;
        return codes;
    }

    @Override
    public @Nullable SerializableString getEscapeSequence(int c) {
        boolean escape = Character.isISOControl(c) || c <= Character.MAX_VALUE && Character.isSurrogate((char) c);
        return escape ? new SerializedString(String.format(Locale.ROOT, "\\u%04x", c)) : null;
    }
}
