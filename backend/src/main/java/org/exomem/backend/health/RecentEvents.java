package org.exomem.backend.health;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.vm.VmEvent;
import org.exomem.vhostuser.backend.FaultKind;

/**
 * Recent events whose effect can't be seen any more: the last of each kind, for each device. Safe for use by several
 * threads.
 */
final class RecentEvents {
    /** Older events are ignored. */
    private static final Duration RECENT = Duration.ofMinutes(10);

    private record Key(String vm, String device, Class<?> kind) {}

    private record Happened(VmEvent event, long at) {}

    private final Map<Key, Happened> last = new ConcurrentHashMap<>();

    void happened(VmEvent event) {
        switch (event) {
            case VmEvent.Fault fault when fault.kind() == FaultKind.HOST -> remember(event);
            case VmEvent.GuestViolation violation -> remember(event);
            case VmEvent.MigrationChange migration when migration.status().equals("failed") -> remember(event);
            // A migration that succeeds makes earlier failures irrelevant.
            case VmEvent.MigrationChange migration -> last.remove(key(event));
            case VmEvent.Removed(String vm, String device) ->
                last.keySet()
                        .removeIf(key -> key.vm().equals(vm) && key.device().equals(device));
            default -> {}
        }
    }

    private void remember(VmEvent event) {
        last.put(key(event), new Happened(event, System.nanoTime()));
    }

    private static Key key(VmEvent event) {
        return new Key(event.vm(), event.device(), event.getClass());
    }

    List<Problem> problems() {
        List<Problem> problems = new ArrayList<>();
        long now = System.nanoTime();
        last.values().removeIf(happened -> now - happened.at() > RECENT.toNanos());
        for (Happened happened : last.values()) {
            long seconds = Duration.ofNanos(now - happened.at()).toSeconds();
            String ago = " (" + seconds + " s ago)";
            switch (happened.event()) {
                case VmEvent.Fault(String vm, String device, FaultKind kind, String message) ->
                    problems.add(Problem.warning(
                            vm,
                            device,
                            "the host failed: " + message + ago,
                            "fix the cause that the message names; exomem retries by itself"));
                case VmEvent.GuestViolation of ->
                    problems.add(Problem.warning(
                            of.vm(),
                            of.device(),
                            "the guest uses unplugged memory: " + ByteSize.format(of.bytes()) + " in " + of.blocks()
                                    + " blocks, action " + of.action() + ago,
                            "its kernel has a bug or is malicious; violation=prevent denies it that memory"));
                case VmEvent.MigrationChange(String vm, String status) ->
                    problems.add(Problem.warning(
                            vm,
                            "",
                            "its last migration failed" + ago,
                            "\"exomem migrate " + vm
                                    + " --status\" shows the reason; the guest continues on the source"));
                default -> {}
            }
        }
        return problems;
    }
}
