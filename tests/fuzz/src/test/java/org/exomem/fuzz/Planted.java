package org.exomem.fuzz;

/** A harness with a fault that random bytes would not find: four bytes, each behind a branch of its own. */
public final class Planted {
    private Planted() {}

    public static void fuzzerTestOneInput(byte[] input) {
        if (input.length == 4 && input[0] == 'e' && input[1] == 'x' && input[2] == 'o' && input[3] == 'm') {
            throw new BrokenRule("planted");
        }
    }
}
