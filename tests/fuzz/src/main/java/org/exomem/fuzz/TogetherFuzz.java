package org.exomem.fuzz;

import java.util.Arrays;

/**
 * All targets in one process. The first byte of an input chooses the target, which gets the rest. For short runs, in
 * which a start of the fuzzer for each target would take longer than the fuzzing.
 */
public final class TogetherFuzz {
    private TogetherFuzz() {}

    public static void fuzzerTestOneInput(byte[] input) throws Exception {
        if (input.length > 0) {
            target(input).harness().fuzzerTestOneInput(input(input));
        }
    }

    /** The target of an input. */
    static Target target(byte[] input) {
        Target[] all = Target.values();
        return all[(input[0] & 0xff) % all.length];
    }

    /** The part of an input that its target gets. */
    static byte[] input(byte[] input) {
        return Arrays.copyOfRange(input, 1, input.length);
    }

    /** An input that makes a target get {@code input}. */
    static byte[] inputFor(Target target, byte[] input) {
        byte[] all = new byte[1 + input.length];
        all[0] = (byte) target.ordinal();
        System.arraycopy(input, 0, all, 1, input.length);
        return all;
    }
}
