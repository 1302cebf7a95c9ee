package org.exomem.conform.suite;

import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;

/** Finds what somebody may have meant who has mistyped a name. */
final class Similar {
    /** Of so many letters one may be wrong. */
    private static final int LETTERS_FOR_A_MISTAKE = 4;

    private Similar() {}

    /**
     * The name that takes the fewest letters put in, left out, replaced, or swapped with their neighbour; the first of several.
     * Empty if none takes few.
     */
    static Optional<String> to(String typed, Collection<String> names) {
        int most = Math.max(1, typed.length() / LETTERS_FOR_A_MISTAKE);
        return names.stream()
                .filter(name -> mistakes(typed, name) <= most)
                .min(Comparator.comparingInt(name -> mistakes(typed, name)));
    }

    /** How many of these steps lead from one to the other. */
    static int mistakes(String from, String to) {
        int[][] steps = new int[from.length() + 1][to.length() + 1];
        for (int i = 0; i <= from.length(); i++) {
            for (int j = 0; j <= to.length(); j++) {
                if (i == 0 || j == 0) {
                    steps[i][j] = i + j;
                    continue;
                }
                int replaced = from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1;
                int least = Math.min(steps[i - 1][j - 1] + replaced, 1 + Math.min(steps[i - 1][j], steps[i][j - 1]));
                boolean swapped = i > 1
                        && j > 1
                        && from.charAt(i - 1) == to.charAt(j - 2)
                        && from.charAt(i - 2) == to.charAt(j - 1);
                steps[i][j] = swapped ? Math.min(least, steps[i - 2][j - 2] + 1) : least;
            }
        }
        return steps[from.length()][to.length()];
    }
}
