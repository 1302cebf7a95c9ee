package org.exomem.conform.checks.mem;

import static org.exomem.conform.checks.mem.RequestChecks.mem;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;
import org.exomem.conform.checks.mem.MemSession.Config;
import org.exomem.conform.checks.mem.MemSession.State;
import org.exomem.conform.trial.Outcome;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conformance.frontend.BackEndChannel;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.Fd;

/** The config space of the memory device (VIRTIO 5.15.4). */
final class ConfigSpaceChecks {
    static final List<Check> ALL = List.of(
            mem("mem.config.8", "block_size is a power of two", ConfigSpaceChecks::blockSize),
            mem("mem.config.9", "addr and all sizes are multiples of block_size", ConfigSpaceChecks::multiples),
            mem("mem.config.5", "block_size, node_id, addr and region_size do not change", ConfigSpaceChecks::constant),
            mem("mem.config.5", "writes of the driver to the config space have no effect", ConfigSpaceChecks::readOnly),
            mem(
                    "mem.config.6",
                    "plugged_size is the size of all blocks whose STATE is PLUGGED",
                    ConfigSpaceChecks::pluggedSize),
            mem("mem.config.7", "usable_region_size is never below requested_size", ConfigSpaceChecks::usableSize),
            mem(
                    "mem.config.11",
                    "usable_region_size does not shrink with PLUG, UNPLUG and STATE",
                    ConfigSpaceChecks::usableSizeStays),
            mem(
                    "mem.config.12",
                    "a change of usable_region_size or requested_size is notified",
                    ConfigSpaceChecks::changesAreTold),
            mem("mem.config.13", "a change of plugged_size is not notified", ConfigSpaceChecks::pluggedIsNotTold));

    static final Map<String, String> UNTRIED = Map.of(
            "mem.config.4",
            "Only the host decides when a size changes; a driver cannot trigger it.",
            "mem.config.14",
            "A notification without a change is optional, so nothing can break this. The checks tolerate it.");

    private static final int CONFIG_SIZE = 56;

    private ConfigSpaceChecks() {}

    private static void blockSize(Trial trial) throws Exception {
        Config config = MemSession.empty(trial).config();
        trial.expect(
                Long.bitCount(config.blockSize()) == 1,
                "block_size is " + config.blockSize() + ", which is not a power of two");
    }

    private static void multiples(Trial trial) throws Exception {
        MemSession mem = MemSession.empty(trial);
        expectMultiples(trial, mem.config());
        mem.requireRoom(1);
        mem.plug(mem.config().block(0), 1);
        expectMultiples(trial, mem.config());
    }

    private static void expectMultiples(Trial trial, Config config) {
        Map<String, Long> fields = Map.of(
                "addr",
                config.address(),
                "region_size",
                config.regionSize(),
                "usable_region_size",
                config.usableSize(),
                "plugged_size",
                config.plugged(),
                "requested_size",
                config.requested());
        fields.forEach((name, value) -> trial.expect(
                Long.remainderUnsigned(value, Math.max(1, config.blockSize())) == 0,
                name + " is " + value + ", which is not a multiple of block_size, " + config.blockSize()));
    }

    private static void constant(Trial trial) throws Exception {
        Session session = trial.running(MemSession.WISH);
        MemSession mem = MemSession.of(trial, session);
        Config before = mem.config();
        mem.unplugAll();
        expectSame(trial, before, mem.config(), "after UNPLUG ALL");
        if (Math.min(before.requested(), before.usableSize()) >= before.blockSize()) {
            mem.plug(before.block(0), 1);
            expectSame(trial, before, mem.config(), "after PLUG");
            mem.unplug(before.block(0), 1);
            expectSame(trial, before, mem.config(), "after UNPLUG");
        }
        if (session.hasProtocol(Protocol.STATUS)) {
            session.frontEnd().setStatus(0);
            expectSame(trial, before, mem.config(), "after the status was set to 0");
        }
        if (session.hasProtocol(Protocol.RESET_DEVICE)) {
            session.frontEnd().resetDevice();
            expectSame(trial, before, mem.config(), "after RESET_DEVICE");
        }
        session.device().close();
        expectSame(
                trial,
                before,
                MemSession.of(trial, trial.running(MemSession.WISH)).config(),
                "in the next session");
    }

    private static void expectSame(Trial trial, Config before, Config now, String when) {
        trial.expect(
                before.isSameDevice(now),
                "block_size, node_id, addr and region_size were " + constants(before) + " and are " + constants(now)
                        + " " + when);
    }

    private static String constants(Config config) {
        return config.blockSize() + ", " + config.nodeId() + ", 0x" + Long.toHexString(config.address()) + " and "
                + config.regionSize();
    }

    private static void readOnly(Trial trial) throws Exception {
        Session session = trial.running(MemSession.WISH);
        MemSession mem = MemSession.of(trial, session);
        mem.unplugAll();
        Config before = mem.config();
        byte[] ones = new byte[CONFIG_SIZE];
        Arrays.fill(ones, (byte) 1);
        Outcome outcome = session.attempt(Request.SET_CONFIG, Payload.config(0, CONFIG_SIZE, 0, ones), List.of());
        MemSession after = mem;
        if (outcome instanceof Outcome.ClosedConnection) {
            trial.refused("a write to the config space, which is read-only");
            after = MemSession.of(trial, trial.running(MemSession.WISH));
        }
        expectSame(trial, before, after.config(), "after the driver wrote to the config space");
        after.expectPlugged(0, "after the driver wrote to the config space");
    }

    private static void pluggedSize(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 5);
        Config config = mem.config();
        expectSizeOfPlugged(trial, mem);
        mem.plug(config.block(0), 3);
        expectSizeOfPlugged(trial, mem);
        mem.plug(config.block(4), 1);
        expectSizeOfPlugged(trial, mem);
        mem.unplug(config.block(1), 1);
        expectSizeOfPlugged(trial, mem);
        mem.unplugAll();
        expectSizeOfPlugged(trial, mem);
    }

    private static void expectSizeOfPlugged(Trial trial, MemSession mem) throws IOException {
        Config config = mem.config();
        long plugged = 0;
        for (int block = 0; block < 5; block++) {
            plugged += mem.state(config.block(block), 1) == State.PLUGGED ? config.blockSize() : 0;
        }
        trial.expect(
                config.plugged() == plugged,
                "plugged_size is " + config.plugged() + ", but by STATE " + plugged + " bytes are plugged");
    }

    private static void usableSize(Trial trial) throws Exception {
        MemSession mem = MemSession.empty(trial);
        expectUsable(trial, mem.config(), "after UNPLUG ALL");
        mem.requireRoom(1);
        mem.plug(mem.config().block(0), 1);
        expectUsable(trial, mem.config(), "after PLUG");
        mem.unplug(mem.config().block(0), 1);
        expectUsable(trial, mem.config(), "after UNPLUG");
    }

    private static void expectUsable(Trial trial, Config config, String when) {
        trial.expect(
                config.usableSize() >= config.requested(),
                "usable_region_size is " + config.usableSize() + ", but requested_size is " + config.requested() + ", "
                        + when);
    }

    private static void usableSizeStays(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 2);
        Config before = mem.config();
        mem.plug(before.block(0), 2);
        expectNotLess(trial, before, mem.config(), "PLUG");
        mem.unplug(before.block(0), 2);
        expectNotLess(trial, before, mem.config(), "UNPLUG");
        mem.state(before.block(0), 1);
        expectNotLess(trial, before, mem.config(), "STATE");
    }

    private static void expectNotLess(Trial trial, Config before, Config now, String request) {
        trial.expect(
                now.usableSize() >= before.usableSize(),
                "usable_region_size was " + before.usableSize() + " and is " + now.usableSize() + " after " + request);
    }

    private static void changesAreTold(Trial trial) throws Exception {
        Session session = trial.running(MemSession.WISH.withProtocol(Protocol.BACKEND_REQ));
        MemSession mem = MemSession.of(trial, session);
        mem.unplugAll();
        trial.closeLater(mem::unplugAll);
        mem.requireRoom(1);
        BackEndChannel channel = session.device().channel();
        takeChanges(trial, channel);
        Config before = mem.config();
        mem.plug(before.block(0), 1);
        mem.unplug(before.block(0), 1);
        Config after = mem.config();
        if (before.usableSize() != after.usableSize() || before.requested() != after.requested()) {
            trial.expect(
                    channel.awaitReadable(trial.limits().answer()),
                    "usable_region_size changed from " + before.usableSize() + " to " + after.usableSize()
                            + ", requested_size from " + before.requested() + " to " + after.requested()
                            + ", but the device sent no CONFIG_CHANGE");
        }
    }

    private static void pluggedIsNotTold(Trial trial) throws Exception {
        Session session = trial.running(MemSession.WISH.withProtocol(Protocol.BACKEND_REQ));
        MemSession mem = MemSession.of(trial, session);
        mem.unplugAll();
        trial.closeLater(mem::unplugAll);
        mem.requireRoom(1);
        BackEndChannel channel = session.device().channel();
        takeChanges(trial, channel);
        Config before = mem.config();
        mem.plug(before.block(0), 1);
        Config after = mem.config();
        boolean told = channel.awaitReadable(trial.limits().quiet());
        if (told && before.usableSize() == after.usableSize() && before.requested() == after.requested()) {
            throw new Unmet("the device sent a CONFIG_CHANGE after PLUG, although only plugged_size had changed");
        }
    }

    /** Takes all earlier notifications of changes, so that later ones are new. */
    private static void takeChanges(Trial trial, BackEndChannel channel) throws IOException {
        while (channel.awaitReadable(trial.limits().quiet())) {
            Reply received = channel.receive();
            received.fds().forEach(Fd::close);
        }
    }
}
