package org.exomem.backend.map;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.exomem.backend.vm.MemoryParts;
import org.exomem.backend.vm.VmmProcesses.Part;
import org.exomem.linux.LinuxException;

/**
 * The pages of a VM that have host memory. To examine a large VM takes seconds of processor time. So each call continues
 * where the last one stopped, with the oldest knowledge. For one thread at a time.
 */
final class ResidentMemory {
    /** Knowledge of this age is not renewed. */
    private static final Duration FRESH = Duration.ofMillis(500);
    /** The time that a call spends on renewing knowledge. The first examination gets more. */
    private static final Duration AGAIN = Duration.ofMillis(25);

    private static final Duration FIRST = Duration.ofMillis(150);

    private final Map<Integer, Residence> known = new HashMap<>();
    private List<String> of = List.of();
    private long usedAt = System.nanoTime();

    /**
     * Examines some of these GiBs.
     *
     * @throws LinuxException if the memory can't be examined
     */
    void look(MemoryParts memory, List<Integer> gibs) throws LinuxException {
        usedAt = System.nanoTime();
        List<String> now = memory.parts().stream().map(ResidentMemory::identity).toList();
        if (!now.equals(of)) {
            known.clear();
            of = now;
        }
        List<Integer> oldestFirst = gibs.stream()
                .sorted(Comparator.<Integer>comparingInt(gib -> of(gib).isKnown() ? 1 : 0)
                        .thenComparingLong(gib -> of(gib).lookedAt() - usedAt))
                .toList();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(Residence.bufferBytes(), Long.BYTES);
            for (int gib : oldestFirst) {
                Residence before = of(gib);
                long spent = System.nanoTime() - usedAt;
                if (before.isKnown() && (spent > AGAIN.toNanos() || usedAt - before.lookedAt() < FRESH.toNanos())
                        || spent > FIRST.toNanos()) {
                    return;
                }
                known.put(gib, Residence.look(gib, memory.parts(), buffer));
            }
        }
    }

    private static String identity(Part part) {
        return part.guestAddress() + " " + part.length() + " " + part.offset() + " "
                + part.file().identity();
    }

    /** What is known of a GiB. */
    Residence of(int gib) {
        return known.getOrDefault(gib, Residence.UNKNOWN);
    }

    /** True if this was not used for that time. */
    boolean isIdle(Duration time) {
        return System.nanoTime() - usedAt > time.toNanos();
    }
}
