package org.exomem.conform.checks.mem;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.exomem.conform.check.Check;

/** The memory device (VIRTIO 5.15). */
public final class MemChecks {
    public static final List<Check> ALL = Stream.of(ConfigSpaceChecks.ALL, RequestChecks.ALL, BlockChecks.ALL)
            .flatMap(List::stream)
            .toList();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = untried();

    private MemChecks() {}

    private static Map<String, String> untried() {
        Map<String, String> all = new HashMap<>(ConfigSpaceChecks.UNTRIED);
        all.putAll(RequestChecks.UNTRIED);
        all.putAll(BlockChecks.UNTRIED);
        return Map.copyOf(all);
    }
}
