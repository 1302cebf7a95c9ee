package org.exomem.conform.checks.mem;

import static org.exomem.conform.checks.mem.MemSession.STATE;
import static org.exomem.conform.checks.mem.MemSession.UNPLUGGED_INACCESSIBLE;
import static org.exomem.conform.checks.mem.MemSession.encode;
import static org.exomem.conform.checks.mem.RequestChecks.mem;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.exomem.conform.check.Check;
import org.exomem.conform.checks.mem.MemSession.Config;
import org.exomem.conform.checks.mem.MemSession.State;
import org.exomem.conform.checks.state.Transfer;
import org.exomem.conform.trial.Closing;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.RequestRefusedException;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;

/** Blocks and their content, and the effect of a reset on them (VIRTIO 5.15.5 and 5.15.6). */
final class BlockChecks {
    static final List<Check> ALL = List.of(
            mem(
                    "mem.init.3",
                    "a driver without UNPLUGGED_INACCESSIBLE is served or refused",
                    BlockChecks::withoutInaccessible),
            mem("mem.init.4", "a reset of the device changes no block's state", BlockChecks::resetKeepsStates)
                    .and("mem.init.5"),
            mem("mem.init.4", "blocks keep their state in the next session", BlockChecks::reconnectKeepsStates)
                    .and("mem.init.5"),
            mem(
                    "mem.block.14",
                    "requests for other blocks do not change the content of plugged blocks",
                    BlockChecks::contentStays),
            mem("mem.block.15", "plugged blocks can be written and read", BlockChecks::readAndWritten),
            mem("mem.block.15", "a request and its response can be in a plugged block", BlockChecks::requestInBlock),
            mem(
                    "mem.block.16",
                    "without UNPLUGGED_INACCESSIBLE, unplugged blocks can be read",
                    BlockChecks::unpluggedRead),
            mem(
                    "mem.block.19",
                    "with PERSISTENT_SUSPEND, blocks keep their state when the guest wakes up",
                    BlockChecks::wakeUp),
            mem(
                            "vhost.state.10",
                            "blocks that are plugged in a saved state are plugged after it is loaded",
                            BlockChecks::moved)
                    .and("vhost.state.11"));

    static final Map<String, String> UNTRIED = Map.of(
            "mem.block.13",
            "Any content of unplugged blocks is right, so that nothing that a device does can break this.");

    private static final int FEATURES_OK = 8;
    private static final int RING_SIZE = 64;
    private static final int PAGE = 4096;

    private BlockChecks() {}

    /**
     * Attaches a driver that does not accept the feature. Empty if the device refuses the driver.
     *
     * @param offeredOnly skips the check if the device does not offer the feature
     */
    private static Optional<MemSession> attachWithout(Trial trial, boolean offeredOnly) throws IOException {
        FrontEnd frontEnd = trial.connect();
        long offered = frontEnd.getFeatures();
        if (offeredOnly) {
            trial.requireFeatures(offered, UNPLUGGED_INACCESSIBLE);
        }
        GuestRam ram = trial.closeLater(GuestRam.ofLayout(trial.memoryWith(0, 16L << 20)));
        long accepted =
                (MemSession.WISH.wantedFeatures() | MemSession.WISH.requiredFeatures()) & ~UNPLUGGED_INACCESSIBLE;
        try {
            AttachedDevice device = trial.closeLater(AttachedDevice.attach(
                    frontEnd,
                    ram,
                    accepted & offered,
                    MemSession.WISH.requiredProtocol() | MemSession.WISH.wantedProtocol()));
            device.watch(trial.transcript());
            if ((frontEnd.protocolFeatures() & Protocol.STATUS) != 0 && (frontEnd.getStatus() & FEATURES_OK) == 0) {
                return Optional.empty();
            }
            ram.allocate(64 << 10, GuestRam.PAGE);
            RingDriver ring = device.addRing(0, RING_SIZE);
            device.start();
            return Optional.of(MemSession.of(trial, frontEnd, ram, ring));
        } catch (RequestRefusedException e) {
            return Optional.empty();
        } catch (IOException e) {
            if (Closing.is(e)) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private static void withoutInaccessible(Trial trial) throws Exception {
        Optional<MemSession> attached = attachWithout(trial, true);
        if (attached.isEmpty()) {
            trial.refused("a driver that did not accept UNPLUGGED_INACCESSIBLE");
            return;
        }
        MemSession mem = attached.get();
        mem.unplugAll();
        mem.expectPlugged(0, "after UNPLUG ALL");
    }

    private static void unpluggedRead(Trial trial) throws Exception {
        Optional<MemSession> attached = attachWithout(trial, false);
        if (attached.isEmpty()) {
            throw new Skipped("the device refuses a driver that did not accept UNPLUGGED_INACCESSIBLE");
        }
        MemSession mem = attached.get();
        mem.unplugAll();
        mem.requireRoom(2);
        Config config = mem.config();
        mem.plug(config.block(0), 1);
        mem.unplug(config.block(0), 1);
        try {
            for (long block = 0; block < 2; block++) {
                mem.ram().getByte(config.block(block));
                mem.ram().getByte(config.block(block + 1) - 1);
            }
        } catch (InternalError e) {
            // A fault of the memory appears as a truncated file.
            throw new Unmet("reading an unplugged block of the usable region faults: its file was truncated");
        }
        mem.expectState(config.block(0), 2, State.UNPLUGGED, "after it was read");
    }

    private static void resetKeepsStates(Trial trial) throws Exception {
        Session session = trial.session(MemSession.WISH).start();
        MemSession mem = MemSession.of(trial, session);
        mem.unplugAll();
        trial.closeLater(mem::unplugAll);
        mem.requireRoom(3);
        Config config = mem.config();
        plugAndMark(mem, config);
        session.device().stop();
        reset(session);
        restart(session);
        expectAsBefore(mem, config, "after a reset of the device");
    }

    /** Blocks 0 and 2 are plugged, and block 1 is not. */
    private static void plugAndMark(MemSession mem, Config config) throws IOException {
        mem.plug(config.block(0), 1);
        mem.plug(config.block(2), 1);
        mem.mark(config, 0, 0x41);
        mem.mark(config, 2, 0x42);
    }

    private static void expectAsBefore(MemSession mem, Config config, String when) throws IOException {
        mem.expectPlugged(2 * config.blockSize(), when);
        mem.expectState(config.block(0), 1, State.PLUGGED, when);
        mem.expectState(config.block(1), 1, State.UNPLUGGED, when);
        mem.expectState(config.block(2), 1, State.PLUGGED, when);
        mem.expectMarked(config, 0, 0x41, when);
        mem.expectMarked(config, 2, 0x42, when);
    }

    /** Resets the device in all ways that were negotiated. */
    private static void reset(Session session) throws IOException {
        FrontEnd frontEnd = session.frontEnd();
        if (!session.hasProtocol(Protocol.STATUS) && !session.hasProtocol(Protocol.RESET_DEVICE)) {
            throw new Skipped("the back-end offers neither STATUS nor RESET_DEVICE, so the runner can't reset it");
        }
        if (session.hasProtocol(Protocol.STATUS)) {
            frontEnd.setStatus(0);
        }
        if (session.hasProtocol(Protocol.RESET_DEVICE)) {
            frontEnd.resetDevice();
        }
    }

    private static void restart(Session session) throws IOException {
        session.frontEnd().setFeatures(session.device().features());
        session.device().start();
    }

    private static void reconnectKeepsStates(Trial trial) throws Exception {
        GuestRam ram = trial.closeLater(GuestRam.ofLayout(trial.memoryWith(0, 16L << 20)));
        Session first = trial.session(MemSession.WISH, ram).start();
        MemSession mem = MemSession.of(trial, first);
        mem.unplugAll();
        mem.requireRoom(3);
        Config config = mem.config();
        plugAndMark(mem, config);
        first.device().close();
        MemSession again =
                MemSession.of(trial, trial.session(MemSession.WISH, ram).start());
        trial.closeLater(again::unplugAll);
        expectAsBefore(again, config, "in the next session");
    }

    private static void contentStays(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 4);
        Config config = mem.config();
        plugAndMark(mem, config);
        mem.plug(config.block(1), 1);
        mem.state(config.block(0), 4);
        mem.plug(config.block(3), 1);
        mem.unplug(config.block(3), 1);
        mem.unplug(config.block(1), 1);
        expectAsBefore(mem, config, "after requests for other blocks");
    }

    private static void readAndWritten(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 2);
        Config config = mem.config();
        mem.plug(config.block(0), 2);
        for (int value : new int[] {0x11, 0xee}) {
            mem.mark(config, 0, value);
            mem.mark(config, 1, value + 1);
            mem.state(config.block(0), 2);
            mem.expectMarked(config, 0, value, "after it was written");
            mem.expectMarked(config, 1, value + 1, "after it was written");
        }
    }

    private static void requestInBlock(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 2);
        Config config = mem.config();
        mem.plug(config.block(0), 2);
        State state = mem.stateOf(
                mem.send(encode(STATE, config.block(0), 2), config.block(0) + PAGE, config.block(2) - PAGE));
        trial.expect(state == State.PLUGGED, "STATE of two plugged blocks is " + state + ", not PLUGGED");
    }

    private static void wakeUp(Trial trial) throws Exception {
        Wish wish = MemSession.WISH.with(MemSession.PERSISTENT_SUSPEND);
        Session session = trial.session(wish).start();
        MemSession mem = MemSession.of(trial, session);
        mem.unplugAll();
        trial.closeLater(mem::unplugAll);
        mem.requireRoom(3);
        Config config = mem.config();
        plugAndMark(mem, config);
        // A guest that resumes finds the device stopped, and its queue begins at its old position.
        session.device().stop();
        reset(session);
        restart(session);
        expectAsBefore(mem, config, "when the guest wakes up");
    }

    private static void moved(Trial trial) throws Exception {
        Wish wish = MemSession.WISH.withProtocol(Protocol.DEVICE_STATE);
        GuestRam ram = trial.closeLater(GuestRam.ofLayout(trial.memoryWith(0, 16L << 20)));
        Session source = trial.session(wish, ram).start();
        MemSession mem = MemSession.of(trial, source);
        mem.unplugAll();
        mem.requireRoom(3);
        Config config = mem.config();
        plugAndMark(mem, config);
        source.device().stop();
        byte[] state = Transfer.save(trial, source.frontEnd());
        source.device().start();
        mem.unplugAll();
        source.device().close();
        Session destination = trial.session(wish, ram);
        Transfer.load(trial, destination.frontEnd(), state);
        // The content travels with the guest's memory, which is not part of the device's state.
        mem.mark(config, 0, 0x41);
        mem.mark(config, 2, 0x42);
        destination.start();
        MemSession moved = MemSession.of(trial, destination);
        trial.closeLater(moved::unplugAll);
        expectAsBefore(moved, config, "after the state was loaded");
    }
}
