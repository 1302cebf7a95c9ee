package org.exomem.backend.control;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** Labels for what becomes of pages in a migration. */
public final class FateLabels {
    private static final Map<String, String> WORDS = new LinkedHashMap<>();

    static {
        WORDS.put("sent", "sent");
        WORDS.put("zero", "zeros");
        WORDS.put("hole", "never touched, or given back to the host");
        WORDS.put("hinted", "hinted as free");
        WORDS.put("settled", "free at the pause");
        WORDS.put("balloon", "in the balloon");
        WORDS.put("unplugged", "unplugged");
    }

    private FateLabels() {}

    /** The label of each fate, by its name in {@code query-migrate}; in the order for display. */
    public static Map<String, String> all() {
        return Collections.unmodifiableMap(WORDS);
    }
}
