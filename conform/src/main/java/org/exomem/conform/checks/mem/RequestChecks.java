package org.exomem.conform.checks.mem;

import static org.exomem.conform.checks.mem.MemSession.PLUG;
import static org.exomem.conform.checks.mem.MemSession.STATE;
import static org.exomem.conform.checks.mem.MemSession.UNPLUG;
import static org.exomem.conform.checks.mem.MemSession.UNPLUG_ALL;
import static org.exomem.conform.checks.mem.MemSession.encode;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;
import org.exomem.conform.checks.mem.MemSession.Answer;
import org.exomem.conform.checks.mem.MemSession.Config;
import org.exomem.conform.checks.mem.MemSession.State;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Trial;

/** The requests PLUG, UNPLUG, UNPLUG ALL and STATE (VIRTIO 5.15.6.3 to 5.15.6.6). */
final class RequestChecks {
    static final List<Check> ALL = List.of(
            mem(
                    "mem.plug.2",
                    "PLUG with non-zero padding after its type is carried out",
                    trial -> plugs(trial, true, false)),
            mem(
                    "mem.plug.3",
                    "PLUG with non-zero padding in its data is carried out",
                    trial -> plugs(trial, false, true)),
            mem(
                    "mem.plug.4",
                    "PLUG of an invalid range fails with ERROR and plugs nothing",
                    trial -> wrongRange(trial, PLUG)),
            mem(
                    "mem.plug.5",
                    "PLUG of a range with a plugged block fails with ERROR and changes nothing",
                    RequestChecks::plugOfPlugged),
            mem(
                            "mem.plug.7",
                            "PLUG within requested_size is acknowledged, and plugged_size changes at once",
                            RequestChecks::plugIsAcknowledged)
                    .and("mem.plug.8"),
            mem(
                    "mem.unplug.2",
                    "UNPLUG with non-zero padding after its type is carried out",
                    trial -> unplugs(trial, true, false)),
            mem(
                    "mem.unplug.3",
                    "UNPLUG with non-zero padding in its data is carried out",
                    trial -> unplugs(trial, false, true)),
            mem(
                    "mem.unplug.4",
                    "UNPLUG of an invalid range fails with ERROR and unplugs nothing",
                    trial -> wrongRange(trial, UNPLUG)),
            mem(
                    "mem.unplug.5",
                    "UNPLUG of a range with an unplugged block fails with ERROR and changes nothing",
                    RequestChecks::unplugOfUnplugged),
            mem(
                            "mem.unplug.7",
                            "UNPLUG of plugged blocks is acknowledged, and plugged_size changes at once",
                            RequestChecks::unplugIsAcknowledged)
                    .and("mem.unplug.8"),
            mem(
                            "mem.unplug-all.2",
                            "UNPLUG ALL with non-zero bytes after its type is carried out",
                            RequestChecks::unplugAllIgnoresTheRest)
                    .and("mem.unplug-all.3"),
            mem("mem.unplug-all.5", "UNPLUG ALL unplugs all blocks, and plugged_size is 0", RequestChecks::unplugAll)
                    .and("mem.unplug-all.6"),
            mem("mem.unplug-all.5", "UNPLUG ALL when no block is plugged is acknowledged", RequestChecks::unplugNothing)
                    .and("mem.unplug-all.6"),
            mem(
                    "mem.unplug-all.7",
                    "usable_region_size still covers requested_size after UNPLUG ALL",
                    RequestChecks::usableAfterUnplugAll),
            mem(
                    "mem.state.3",
                    "STATE with non-zero padding after its type is answered",
                    trial -> statePadding(trial, true, false)),
            mem(
                    "mem.state.4",
                    "STATE with non-zero padding in its data is answered",
                    trial -> statePadding(trial, false, true)),
            mem("mem.state.5", "STATE of an invalid range fails with ERROR", trial -> wrongRange(trial, STATE)),
            mem("mem.state.6", "STATE of blocks of the usable region is acknowledged", RequestChecks::stateIsAnswered)
                    .and("mem.state.8"),
            mem(
                    "mem.state.7",
                    "STATE of plugged blocks is PLUGGED, for each range of them",
                    RequestChecks::statePlugged),
            mem(
                    "mem.state.8",
                    "STATE of unplugged blocks is UNPLUGGED, also next to plugged ones",
                    RequestChecks::stateUnplugged),
            mem("mem.state.9", "STATE of plugged and unplugged blocks is MIXED", RequestChecks::stateMixed));

    private static final String HOST =
            "Only the host decides when it can't carry out a request; a driver can't trigger it."
                    + " The checks repeat a request as long as it is answered with BUSY.";

    static final Map<String, String> UNTRIED =
            Map.of("mem.plug.6", HOST, "mem.unplug.6", HOST, "mem.unplug-all.4", HOST);

    private static final int HEADER_PADDING = 2;
    private static final int DATA_PADDING = 18;
    private static final int PADDING = 6;

    private RequestChecks() {}

    static Check mem(String requirement, String name, Check.Body body) {
        return Check.of(requirement, name, body).on(DeviceType.MEM);
    }

    private static ByteBuffer padded(ByteBuffer request, boolean header, boolean data) {
        for (int i = 0; i < PADDING; i++) {
            if (header) {
                request.put(HEADER_PADDING + i, (byte) (0xa1 + i));
            }
            if (data) {
                request.put(DATA_PADDING + i, (byte) (0xb1 + i));
            }
        }
        return request;
    }

    private static void plugs(Trial trial, boolean header, boolean data) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 1);
        Config config = mem.config();
        mem.plug(padded(encode(PLUG, config.block(0), 1), header, data));
        mem.expectState(config.block(0), 1, State.PLUGGED, "after PLUG was acknowledged");
        mem.expectPlugged(config.blockSize(), "after PLUG of one block");
    }

    private static void unplugs(Trial trial, boolean header, boolean data) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 2);
        Config config = mem.config();
        mem.plug(config.block(0), 2);
        mem.unplug(padded(encode(UNPLUG, config.block(0), 1), header, data));
        mem.expectState(config.block(0), 1, State.UNPLUGGED, "after UNPLUG was acknowledged");
        mem.expectPlugged(config.blockSize(), "after PLUG of two blocks and UNPLUG of one");
    }

    /** An invalid range of blocks. */
    private record Range(String name, long address, int blocks) {}

    private static List<Range> wrongRanges(Config config) {
        long block = config.blockSize();
        long usableEnd = config.address() + config.usableSize();
        return List.of(
                new Range("an addr that is not a multiple of the block size", config.address() + block / 2, 1),
                new Range("an addr one byte too high", config.address() + 1, 1),
                new Range("no blocks", config.address(), 0),
                new Range("blocks after the usable region", usableEnd, 1),
                new Range("blocks that extend past the usable region", usableEnd - block, 2),
                new Range("blocks after the region", config.address() + config.regionSize(), 1),
                new Range("blocks that begin before the region", config.address() - block, 2),
                new Range("an addr of 0", 0, 1),
                new Range("the last addr that is a multiple of the block size", -block, 1),
                new Range("blocks whose end wraps to 0", -block, 2));
    }

    private static void wrongRange(Trial trial, int type) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 3);
        Config config = mem.config();
        // Gives UNPLUG some plugged blocks, so that a device that accepts an invalid range changes them.
        mem.plug(config.block(0), 2);
        for (Range range : wrongRanges(config)) {
            boolean stays = config.address() == 0 && range.address() == 0 && range.blocks() == 1;
            if (stays) {
                continue;
            }
            Answer answer = mem.send(type, range.address(), range.blocks()).answer();
            trial.expect(
                    answer == Answer.ERROR,
                    name(type) + " of " + range.name() + " (0x" + Long.toHexString(range.address()) + ", "
                            + range.blocks() + " blocks) was answered with " + answer + ", not with ERROR");
        }
        mem.expectPlugged(2 * config.blockSize(), "after " + name(type) + " of invalid ranges");
        mem.expectState(config.block(0), 2, State.PLUGGED, "after " + name(type) + " of invalid ranges");
    }

    private static String name(int type) {
        return switch (type) {
            case PLUG -> "PLUG";
            case UNPLUG -> "UNPLUG";
            case UNPLUG_ALL -> "UNPLUG ALL";
            default -> "STATE";
        };
    }

    private static void plugOfPlugged(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 4);
        Config config = mem.config();
        mem.plug(config.block(1), 1);
        long[][] ranges = {{1, 1}, {0, 2}, {1, 2}, {0, 3}};
        for (long[] range : ranges) {
            Answer answer = mem.untilNotBusy(encode(PLUG, config.block(range[0]), (int) range[1]))
                    .answer();
            trial.expect(
                    answer == Answer.ERROR,
                    "PLUG of blocks " + range[0] + " to " + (range[0] + range[1] - 1)
                            + ", of which block 1 was plugged, was answered with " + answer + ", not with ERROR");
        }
        mem.expectPlugged(config.blockSize(), "after PLUG of blocks, one of which was plugged");
        mem.expectState(config.block(0), 1, State.UNPLUGGED, "after a PLUG that failed");
        mem.expectState(config.block(2), 1, State.UNPLUGGED, "after a PLUG that failed");
    }

    private static void unplugOfUnplugged(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 3);
        Config config = mem.config();
        mem.plug(config.block(0), 3);
        mem.unplug(config.block(1), 1);
        long[][] ranges = {{1, 1}, {0, 2}, {1, 2}, {0, 3}};
        for (long[] range : ranges) {
            Answer answer = mem.untilNotBusy(encode(UNPLUG, config.block(range[0]), (int) range[1]))
                    .answer();
            trial.expect(
                    answer == Answer.ERROR,
                    "UNPLUG of blocks " + range[0] + " to " + (range[0] + range[1] - 1)
                            + ", of which block 1 was unplugged, was answered with " + answer + ", not with ERROR");
        }
        mem.expectPlugged(2 * config.blockSize(), "after UNPLUG of blocks, one of which was unplugged");
        mem.expectState(config.block(0), 1, State.PLUGGED, "after an UNPLUG that failed");
        mem.expectState(config.block(2), 1, State.PLUGGED, "after an UNPLUG that failed");
    }

    private static void plugIsAcknowledged(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 3);
        Config config = mem.config();
        mem.plug(config.block(0), 1);
        mem.expectPlugged(config.blockSize(), "after PLUG of one block");
        mem.plug(config.block(1), 2);
        mem.expectPlugged(3 * config.blockSize(), "after PLUG of one block and of two more");
        mem.expectState(config.block(0), 3, State.PLUGGED, "after PLUG was acknowledged");
    }

    private static void unplugIsAcknowledged(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 4);
        Config config = mem.config();
        mem.plug(config.block(0), 4);
        mem.unplug(config.block(1), 2);
        mem.expectPlugged(2 * config.blockSize(), "after PLUG of four blocks and UNPLUG of two");
        mem.expectState(config.block(1), 2, State.UNPLUGGED, "after UNPLUG was acknowledged");
        mem.expectState(config.block(0), 1, State.PLUGGED, "after UNPLUG of other blocks");
        mem.expectState(config.block(3), 1, State.PLUGGED, "after UNPLUG of other blocks");
    }

    private static void unplugAllIgnoresTheRest(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 2);
        Config config = mem.config();
        mem.plug(config.block(0), 2);
        // These bytes would be an invalid range in every way, if the request had one.
        ByteBuffer request = padded(encode(UNPLUG_ALL, config.address() + 1, 0xffff), true, true);
        mem.carryOut("UNPLUG ALL with non-zero bytes in the rest of the request", request);
        mem.expectPlugged(0, "after UNPLUG ALL");
        mem.expectState(config.block(0), 2, State.UNPLUGGED, "after UNPLUG ALL");
    }

    private static void unplugAll(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 4);
        Config config = mem.config();
        mem.plug(config.block(0), 1);
        mem.plug(config.block(2), 2);
        mem.unplugAll();
        mem.expectPlugged(0, "after UNPLUG ALL");
        mem.expectState(config.block(0), 4, State.UNPLUGGED, "after UNPLUG ALL");
    }

    private static void unplugNothing(Trial trial) throws Exception {
        MemSession mem = MemSession.empty(trial);
        mem.unplugAll();
        mem.expectPlugged(0, "after UNPLUG ALL");
    }

    private static void usableAfterUnplugAll(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 1);
        mem.plug(mem.config().block(0), 1);
        mem.unplugAll();
        Config config = mem.config();
        trial.transcript().say("usable_region_size is " + config.usableSize() + " after UNPLUG ALL");
        trial.expect(
                config.usableSize() >= config.requested() && config.usableSize() <= config.regionSize(),
                "usable_region_size is " + config.usableSize() + " after UNPLUG ALL; requested_size is "
                        + config.requested() + " and region_size " + config.regionSize());
    }

    private static void statePadding(Trial trial, boolean header, boolean data) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 2);
        Config config = mem.config();
        mem.plug(config.block(0), 1);
        for (int block = 0; block < 2; block++) {
            State state = mem.stateOf(mem.send(padded(encode(STATE, config.block(block), 1), header, data)));
            State expected = block == 0 ? State.PLUGGED : State.UNPLUGGED;
            trial.expect(state == expected, "STATE of block " + block + " is " + state + ", not " + expected);
        }
    }

    private static void stateIsAnswered(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 1);
        Config config = mem.config();
        int most = (int) Math.min(0xffff, config.usableSize() / config.blockSize());
        mem.expectState(config.block(0), 1, State.UNPLUGGED, "after UNPLUG ALL");
        mem.expectState(config.block(0), most, State.UNPLUGGED, "after UNPLUG ALL");
        mem.expectState(config.block(most - 1), 1, State.UNPLUGGED, "after UNPLUG ALL");
    }

    private static void statePlugged(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 4);
        Config config = mem.config();
        mem.plug(config.block(0), 2);
        mem.plug(config.block(2), 2);
        for (int first = 0; first < 4; first++) {
            for (int blocks = 1; blocks <= 4 - first; blocks++) {
                mem.expectState(config.block(first), blocks, State.PLUGGED, "after all of them were plugged");
            }
        }
    }

    private static void stateUnplugged(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 4);
        Config config = mem.config();
        mem.plug(config.block(0), 4);
        mem.unplug(config.block(1), 2);
        for (int first = 1; first < 3; first++) {
            mem.expectState(config.block(first), 1, State.UNPLUGGED, "after they were unplugged");
        }
        mem.expectState(config.block(1), 2, State.UNPLUGGED, "after they were unplugged");
    }

    private static void stateMixed(Trial trial) throws Exception {
        MemSession mem = MemSession.withRoom(trial, 4);
        Config config = mem.config();
        mem.plug(config.block(1), 1);
        mem.expectState(config.block(0), 2, State.MIXED, "with the second plugged");
        mem.expectState(config.block(1), 2, State.MIXED, "with the first plugged");
        mem.expectState(config.block(0), 3, State.MIXED, "with the middle one plugged");
        mem.unplug(config.block(1), 1);
        mem.plug(config.block(0), 1);
        mem.plug(config.block(2), 1);
        mem.expectState(config.block(0), 3, State.MIXED, "with the middle one unplugged");
    }
}
