package org.exomem.backend.vm;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.exomem.backend.config.MemoryConfig;
import org.exomem.backend.config.Prevention;
import org.exomem.backend.config.Violation;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PageFaults;
import org.exomem.linux.SharedFile;
import org.exomem.mem.BlockGuard;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.mem.VirtioMem;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.FaultKind;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Guards the unplugged blocks of a device in its VMM while a driver uses the device, if the operator configured that
 * (MEM-GUARD), and acts on touches. Used on the VM's loop. Attaches on a thread of its own.
 *
 * <pre>
 *   OFF -- a driver runs --> ATTACHING -- done --> ON
 *    ^                         |                   |
 *    +--- it can't be done ----+                   |
 *    +--- the front-end has gone, or it fails -----+
 * </pre>
 *
 * <p>If it fails because a migration watches the same memory, it tries again every {@link VmmProcesses#untilNextTry}.
 */
final class MemoryGuard {
    private static final Logger LOG = LoggerFactory.getLogger(MemoryGuard.class);

    /** The shortest time between two events about touches. */
    private static final Duration BETWEEN_EVENTS = Duration.ofSeconds(1);

    /**
     * How long a write waits for the VMM to stop the guest. The VMM can't report the stop: it has not stopped before the
     * processor has left the write.
     */
    private static final Duration HELD = Duration.ofMillis(100);

    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(2);

    private static final Duration BEFORE_TAKING_BACK = Duration.ofMillis(BlockGuard.LEAST_MILLIS);

    private final MemoryConfig config;
    private final VirtioMem device;
    private final EventLoop loop;
    private final Consumer<VmEvent> events;
    private final FrontEndWatch faults;
    private final GuestStop stop;
    private final VmmProcesses vmm;
    private final LogThrottle warnings;

    private final OrphanedTouches orphans;
    private @Nullable BlockGuard guard;
    private VmmProcesses.@Nullable LetGo letGo;
    private EventLoop.@Nullable Watch watch;
    private @Nullable Thread lettingGo;
    private boolean attaching;
    /** True if a driver has started while this was attaching to its VMM, or to the VMM before. */
    private boolean startWaits;
    /** How many front-ends have gone. If it changes while this attaches, the process is not that of the present VMM. */
    private int gone;

    private boolean retired;
    private Optional<String> reason = Optional.of("no driver has started");
    private boolean takesBack;
    private boolean holds;
    private long writes;
    private long reads;
    /** Touches since the last event. */
    private long untold;

    private long untoldAddress;
    private long lastBlock = -1;
    private long untoldBlocks;
    private boolean eventWaits;

    MemoryGuard(
            MemoryConfig config,
            VirtioMem device,
            EventLoop loop,
            Consumer<VmEvent> events,
            FrontEndWatch faults,
            GuestStop stop,
            VmmProcesses vmm) {
        this.config = config;
        this.device = device;
        this.loop = loop;
        this.events = events;
        this.faults = faults;
        this.stop = stop;
        this.vmm = vmm;
        this.orphans = new OrphanedTouches(
                loop,
                isWrite -> {
                    writes += isWrite ? 1 : 0;
                    reads += isWrite ? 0 : 1;
                },
                line -> LOG.warn("{} {}: {}", config.vm(), config.id(), line));
        this.warnings = new LogThrottle(line -> LOG.warn("{} {}: {}", config.vm(), config.id(), line), loop::schedule);
    }

    private boolean isWanted() {
        return config.violation() == Violation.PREVENT && !retired;
    }

    /** The state of the guard, if it is configured. */
    Optional<MemoryState.Guarding> soFar() {
        return config.violation() == Violation.PREVENT
                ? Optional.of(new MemoryState.Guarding(config.prevention(), guard != null, reason, writes, reads))
                : Optional.empty();
    }

    /** Serves touches that an earlier process guarded, so that no guest waits. */
    void start() {
        if (!isWanted()) {
            return;
        }
        Path qmp = config.vmmQmp().orElseThrow();
        Thread.ofPlatform().daemon().name("guard-" + config.vm()).start(() -> {
            try {
                List<PageFaults> found = vmm.left(qmp);
                loop.execute(() -> orphans.serve(found, guard == null && !retired));
            } catch (IOException | RuntimeException e) {
                // No VMM runs yet, so no guest waits in it.
                LOG.debug("{} {}: {}", config.vm(), config.id(), e.getMessage());
            }
        });
    }

    /** A driver has started. If the device ever learns what is plugged, it knows by now. */
    void driverStarted() {
        if (!isWanted() || guard != null) {
            return;
        }
        if (attaching) {
            startWaits = true;
            return;
        }
        if (!device.isKnown()) {
            notGuarded("it is not known which blocks the driver has plugged");
            return;
        }
        try {
            attach();
        } catch (LinuxException e) {
            notGuarded(e.getMessage());
        }
    }

    private void attach() throws LinuxException {
        Path qmp = config.vmmQmp().orElseThrow();
        List<VmmProcesses.Part> parts = new ArrayList<>();
        MemoryRegionPlan plan = config.plan();
        for (MemoryRegion region : device.sharedMemory()) {
            long from = Math.max(plan.address(), region.guestAddress());
            long end = Math.min(plan.address() + plan.size(), region.guestAddress() + region.size());
            if (from < end) {
                parts.add(VmmProcesses.Part.of(region, from, end));
            }
        }
        OptionalLong unplugged = device.firstUnplugged();
        attaching = true;
        startWaits = false;
        int before = gone;
        reason = Optional.of("exomem is attaching to the VMM");
        Thread.ofPlatform().daemon().name("guard-" + config.vm()).start(() -> {
            try {
                VmmProcesses.Attached attached = vmm.attach(qmp, parts, unplugged);
                loop.execute(() -> attached(attached, before));
            } catch (IOException | RuntimeException e) {
                loop.execute(() -> {
                    attaching = false;
                    notGuarded(e.getMessage());
                    startAgain();
                });
            } finally {
                parts.forEach(VmmProcesses.Part::close);
            }
        });
    }

    private void notGuarded(@Nullable String why) {
        String text = String.valueOf(why);
        // Not reported again for a driver that starts anew.
        if (!reason.equals(Optional.of(text))) {
            warnings.say("unplugged memory is not guarded, but patrolled: " + text);
        }
        reason = Optional.of(text);
    }

    private void failed(LinuxException why) {
        notGuarded(why.getMessage());
        if (why.errno() == Errno.EBUSY) {
            loop.schedule(vmm.untilNextTry(), () -> {
                if (device.isDriverRunning()) {
                    driverStarted();
                }
            });
        }
    }

    /** Handles a start of a driver that came while this was attaching, maybe to another VMM. */
    private void startAgain() {
        if (startWaits && device.isDriverRunning()) {
            driverStarted();
        }
    }

    /** @param before the value of {@link #gone} when it began */
    private void attached(VmmProcesses.Attached to, int before) {
        attaching = false;
        BlockGuard made = new BlockGuard(to.faults(), to.stretches(), device, new Touches());
        if (retired || before != gone || !device.isConnected()) {
            reason = Optional.of("the VMM disconnected");
            letGo(made, to.letGo());
            startAgain();
            return;
        }
        try {
            device.guardWith(made);
        } catch (LinuxException e) {
            letGo(made, to.letGo());
            failed(e);
            return;
        }
        orphans.close();
        guard = made;
        letGo = to.letGo();
        reason = Optional.empty();
        watch = loop.watch(made.fd(), device::serveTouches);
        LOG.info("{} {}: unplugged memory is guarded in the VMM", config.vm(), config.id());
    }

    /** The front-end has gone, and its memory is not guarded any more. */
    void frontEndLeft() {
        gone++;
        end("the VMM disconnected");
    }

    /** Ends the guard for good. */
    void retire() {
        retired = true;
        orphans.close();
        end("the device is no longer served");
    }

    /** As {@link #retire}, for any thread but the loop. Waits for the loop and for the VMM, each for two seconds at most. */
    void close() {
        if (!isWanted()) {
            return;
        }
        try {
            Thread last = loop.submit(() -> {
                        retire();
                        return Optional.ofNullable(lettingGo);
                    })
                    .get(CLOSE_LIMIT.toMillis(), TimeUnit.MILLISECONDS)
                    .orElse(null);
            if (last != null && !last.join(CLOSE_LIMIT)) {
                LOG.debug("{} {}: the VMM does not respond", config.vm(), config.id());
            }
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("{} {}: the guard was not ended", config.vm(), config.id(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void end(String why) {
        BlockGuard ended = guard;
        VmmProcesses.LetGo ofEnded = letGo;
        if (ended != null && ofEnded != null) {
            guard = null;
            letGo = null;
            reason = Optional.of(why);
            device.guardNoMore();
            if (watch != null) {
                watch.close();
                watch = null;
            }
            letGo(ended, ofEnded);
        }
    }

    private void letGo(BlockGuard ended, VmmProcesses.LetGo ofEnded) {
        ended.close();
        lettingGo = Thread.ofPlatform().daemon().name("guard-" + config.vm()).start(() -> {
            try {
                ofEnded.run();
            } catch (IOException e) {
                // The VMM has ended. Or a descriptor stays open there that nothing waits for.
                LOG.debug("{} {}: {}", config.vm(), config.id(), e.getMessage());
            }
        });
    }

    private void takeBackLater() {
        if (!takesBack) {
            takesBack = true;
            loop.schedule(BEFORE_TAKING_BACK, () -> {
                takesBack = false;
                if (device.takeTouchedBack()) {
                    takeBackLater();
                }
            });
        }
    }

    private void releaseLater() {
        if (!holds) {
            holds = true;
            loop.schedule(HELD, () -> {
                holds = false;
                device.releaseTouches();
                takeBackLater();
            });
        }
    }

    /** Reports a touch: the first at once, the following ones in at most one event a second. */
    private void tell(long address) {
        long block = (address - config.plan().address()) / config.plan().blockSize();
        if (untold++ == 0) {
            untoldAddress = address;
            lastBlock = -1;
        }
        untoldBlocks += block == lastBlock ? 0 : 1;
        lastBlock = block;
        if (!eventWaits) {
            tellNow();
        }
    }

    private void tellNow() {
        String action = config.prevention().word();
        warnings.say("the guest accessed unplugged memory at 0x" + Long.toHexString(untoldAddress) + ", " + untold
                + " times (policy: " + action + ")");
        events.accept(new VmEvent.GuestViolation(
                config.vm(),
                config.id(),
                untold * SharedFile.SMALL_PAGE,
                untoldBlocks,
                action,
                OptionalLong.of(untoldAddress)));
        untold = 0;
        untoldBlocks = 0;
        eventWaits = true;
        loop.schedule(BETWEEN_EVENTS, () -> {
            eventWaits = false;
            if (untold > 0) {
                tellNow();
            }
        });
    }

    private final class Touches implements BlockGuard.Listener {
        /**
         * MEM-GUARD-4: a read does not stop the guest, as VMMs read unplugged memory for dumps. It is reported if the driver
         * has agreed not to read.
         */
        @Override
        public void read(long guestAddress) {
            reads++;
            if (device.mustNotAccessUnplugged()) {
                tell(guestAddress);
            }
            takeBackLater();
        }

        @Override
        public boolean written(long guestAddress) {
            writes++;
            tell(guestAddress);
            if (config.prevention() == Prevention.STOP) {
                stop.stop(
                        config.vmmQmp().orElseThrow(),
                        why -> loop.execute(() -> faults.fault(FaultKind.HOST, "the guest was not stopped: " + why)));
                releaseLater();
                return true;
            }
            takeBackLater();
            return false;
        }

        @Override
        public void failed(LinuxException why) {
            // Later, as the device is in the middle of a change.
            loop.execute(() -> {
                MemoryGuard.this.failed(why);
                end(String.valueOf(why.getMessage()));
            });
        }
    }
}
