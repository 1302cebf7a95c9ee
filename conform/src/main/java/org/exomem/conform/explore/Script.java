package org.exomem.conform.explore;

import java.util.ArrayList;
import java.util.List;

/** Steps in order. Each script begins with a new connection on which nothing was said, and with guest memory full of zeros. */
public record Script(List<Step> steps) {
    public Script {
        steps = List.copyOf(steps);
    }

    /** The same without some of its steps. */
    Script without(int from, int count) {
        List<Step> rest = new ArrayList<>(steps.subList(0, from));
        rest.addAll(steps.subList(Math.min(steps.size(), from + count), steps.size()));
        return new Script(rest);
    }
}
