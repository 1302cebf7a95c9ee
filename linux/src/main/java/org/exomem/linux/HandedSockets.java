package org.exomem.linux;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * The sockets that a service manager passed to this process, by sd_listen_fds(3): descriptors from 3 on, each with a name.
 * Inconsistent variables are ignored, because they may belong to a parent process. Immutable.
 */
public final class HandedSockets {
    private static final int FIRST = 3;
    /** More than any unit passes. */
    private static final int MOST = 4096;

    private static final HandedSockets OF_PROCESS =
            of(System.getenv(), ProcessHandle.current().pid());

    private final Map<String, List<Integer>> numbers = new LinkedHashMap<>();

    private HandedSockets() {}

    /** The sockets of this process. */
    public static HandedSockets ofProcess() {
        return OF_PROCESS;
    }

    static HandedSockets of(Map<String, String> environment, long process) {
        HandedSockets handed = new HandedSockets();
        long count = number(environment.get("LISTEN_FDS"));
        if (number(environment.get("LISTEN_PID")) != process || count < 1 || count > MOST) {
            return handed;
        }
        String[] names = environment.getOrDefault("LISTEN_FDNAMES", "").split(":", -1);
        for (int i = 0; i < count; i++) {
            String name = i < names.length && !names[i].isEmpty() ? names[i] : "unknown";
            handed.numbers.computeIfAbsent(name, key -> new ArrayList<>()).add(FIRST + i);
        }
        return handed;
    }

    private static long number(@Nullable String text) {
        try {
            return text == null ? -1 : Long.parseLong(text);
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    /** The descriptor of that name; empty if there is none, or several. */
    public OptionalInt named(String name) {
        List<Integer> found = numbers.getOrDefault(name, List.of());
        return found.size() == 1 ? OptionalInt.of(found.getFirst()) : OptionalInt.empty();
    }

    /** The sockets, for messages: {@code control (fd 3), web (fd 4)}; empty if there are none. */
    @Override
    public String toString() {
        List<String> all = new ArrayList<>();
        numbers.forEach((name, fds) -> fds.forEach(fd -> all.add(name + " (fd " + fd + ")")));
        return String.join(", ", all);
    }
}
