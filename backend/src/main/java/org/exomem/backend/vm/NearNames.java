package org.exomem.backend.vm;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** Says which names there are, to somebody who used one that is not there: all if they are few, else similar ones. */
public final class NearNames {
    /** As many names are listed at most. */
    private static final int FEW = 10;

    private NearNames() {}

    /**
     * The end of a message about a name that is not known: which names there are, or which of them are similar.
     *
     * @param name the one that is not known
     * @param known all that are
     * @param what these are, in the plural: {@code VMs}
     */
    public static String instead(String name, Collection<String> known, String what) {
        if (known.isEmpty()) {
            return "there are no " + what;
        }
        if (known.size() <= FEW) {
            return "there are " + String.join(", ", known);
        }
        // A third of a name may be wrong; of a short one, two characters.
        int most = Math.max(2, name.length() / 3);
        List<String> near = known.stream()
                .filter(other -> distance(name, other) <= most)
                .sorted(Comparator.comparingInt(other -> distance(name, other)))
                .limit(FEW)
                .toList();
        return near.isEmpty()
                ? "there are " + known.size() + " " + what + ", among them " + first(known)
                : "of the " + known.size() + " " + what + " these are similar: " + String.join(", ", near);
    }

    /** The names, if they are few; else the first of them and how many there are. */
    public static String of(Collection<String> known, String what) {
        return known.size() <= FEW
                ? String.join(", ", known)
                : known.size() + " " + what + ", among them " + first(known);
    }

    private static String first(Collection<String> known) {
        return String.join(", ", known.stream().limit(FEW).toList());
    }

    /** How many characters must be changed, added or left out to come from one to the other (Levenshtein). */
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
