package org.exomem.backend.vm;

import java.time.Duration;
import java.util.OptionalLong;
import java.util.function.Consumer;
import org.exomem.backend.config.MemoryConfig;
import org.exomem.backend.config.Violation;
import org.exomem.linux.LinuxException;
import org.exomem.mem.Patrol;
import org.exomem.mem.VirtioMem;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.FaultKind;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Runs the patrol over a device in rounds, in short steps, and acts on what it finds. On the VM's loop. */
final class PatrolRounds {
    private static final Logger LOG = LoggerFactory.getLogger(PatrolRounds.class);
    /** The duration of a step, and of the pause after it, in which the loop does other work. */
    private static final long SLICE_NANOS = 1_000_000;

    private static final Duration PAUSE = Duration.ofMillis(9);

    private final MemoryConfig config;
    private final VirtioMem device;
    private final EventLoop loop;
    private final Consumer<VmEvent> events;
    private final FrontEndWatch faults;
    private final GuestStop stop;
    private EventLoop.@Nullable Timer next;
    private long rounds;
    private long lastNanos;
    private long bytes;
    private long blocks;
    /** True if the host has refused to let the patrol look or punch. Reported once. */
    private boolean refused;

    PatrolRounds(
            MemoryConfig config,
            VirtioMem device,
            EventLoop loop,
            Consumer<VmEvent> events,
            FrontEndWatch faults,
            GuestStop stop) {
        this.config = config;
        this.device = device;
        this.loop = loop;
        this.events = events;
        this.faults = faults;
        this.stop = stop;
    }

    /** Starts the first round an interval from now, if a patrol is configured. */
    void start() {
        if (config.patrolSeconds() > 0) {
            next = loop.schedule(Duration.ofSeconds(config.patrolSeconds()), this::slice);
        }
    }

    /** Ends the patrol. */
    void stop() {
        if (next != null) {
            next.cancel();
        }
    }

    MemoryState.Patrols soFar() {
        return new MemoryState.Patrols(config.patrolSeconds(), policy(), rounds, lastNanos, bytes, blocks);
    }

    private void slice() {
        boolean onItsWay = false;
        try {
            Patrol.Round round = device.patrol(config.violation() != Violation.REPORT, SLICE_NANOS);
            if (round != null) {
                completed(round);
            }
            onItsWay = round == null && device.canPatrol();
        } catch (LinuxException e) {
            // Each round fails at the same place, so the failure is reported once.
            if (!refused) {
                refused = true;
                faults.fault(FaultKind.HOST, "unplugged memory could not be patrolled: " + e.getMessage());
            }
        }
        next = loop.schedule(onItsWay ? PAUSE : Duration.ofSeconds(config.patrolSeconds()), this::slice);
    }

    private void completed(Patrol.Round round) {
        refused = false;
        rounds++;
        lastNanos = round.nanos();
        if (round.bytes() == 0) {
            return;
        }
        bytes += round.bytes();
        blocks += round.blocks();
        Violation action = action();
        LOG.warn(
                "{} {}: the guest uses {} bytes in {} unplugged blocks (policy: {})",
                config.vm(),
                config.id(),
                round.bytes(),
                round.blocks(),
                action.word());
        events.accept(new VmEvent.GuestViolation(
                config.vm(), config.id(), round.bytes(), round.blocks(), action.word(), OptionalLong.empty()));
        if (action == Violation.STOP) {
            config.vmmQmp()
                    .ifPresent(qmp -> stop.stop(
                            qmp,
                            why -> loop.execute(
                                    () -> faults.fault(FaultKind.HOST, "the guest was not stopped: " + why))));
        }
    }

    /** Memory that can't be protected is taken back. */
    private Violation policy() {
        return config.violation() == Violation.PREVENT ? Violation.PUNCH : config.violation();
    }

    /** A driver that did not acknowledge UNPLUGGED_INACCESSIBLE may read unplugged memory, so its guest is not stopped. */
    private Violation action() {
        boolean mayRead = !device.mustNotAccessUnplugged();
        return config.violation() == Violation.STOP && mayRead ? Violation.PUNCH : policy();
    }
}
