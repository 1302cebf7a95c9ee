package org.exomem.cli.text;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** Finds the names that a user may have meant. */
public final class Similar {
    private Similar() {}

    /** The known names whose spelling is close to {@code name}, the closest first. */
    public static List<String> to(String name, Collection<String> known) {
        // A third of the characters may be wrong; in a short name, two.
        int most = Math.max(2, name.length() / 3);
        return known.stream()
                .filter(other -> distance(name, other) <= most)
                .sorted(Comparator.comparingInt(other -> distance(name, other)))
                .toList();
    }

    /** The number of characters to change, add or remove to turn one into the other (Levenshtein distance). */
    static int distance(String from, String to) {
        String a = from.toLowerCase(Locale.ROOT);
        String b = to.toLowerCase(Locale.ROOT);
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int changed = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(changed, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.length()];
    }
}
