package org.exomem.backend.control;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** What becomes of pages in a migration, in words. */
public final class FateLabels {
    private static final Map<String, String> WORDS = new LinkedHashMap<>();

    static {
        WORDS.put("sent", "sent");
        WORDS.put("zero", "zeros");
        WORDS.put("hole", "never touched, or given back to the host");
        WORDS.put("hinted", "told to be free");
        WORDS.put("settled", "free at the pause");
        WORDS.put("balloon", "in the balloon");
        WORDS.put("unplugged", "unplugged");
    }

    private FateLabels() {}

    /** The fates by their names in {@code query-migrate}, each in words; in the order in which they are shown. */
    public static Map<String, String> all() {
        return Collections.unmodifiableMap(WORDS);
    }
}
