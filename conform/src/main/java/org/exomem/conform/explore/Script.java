package org.exomem.conform.explore;

import java.util.ArrayList;
import java.util.List;

/**
 * Steps in order. Each script begins with a new connection without any message, and with guest memory full of zeros.
 */
public record Script(List<Step> steps) {
    public Script {
        steps = List.copyOf(steps);
    }

    /** Returns the same script without some of its steps. */
    Script without(int from, int count) {
        List<Step> rest = new ArrayList<>(steps.subList(0, from));
        rest.addAll(steps.subList(Math.min(steps.size(), from + count), steps.size()));
        return new Script(rest);
    }
}
