package org.exomem.conform.broken;

import static org.exomem.conform.broken.GuestView.LE_SHORT;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.jspecify.annotations.Nullable;

/** The memory device (VIRTIO 5.15), wrong in one way each. */
final class MemMutations {
    private static final long UNPLUGGED_INACCESSIBLE = 2;
    private static final long PERSISTENT_SUSPEND = 4;
    private static final int PLUG = 0;
    private static final int UNPLUG = 1;
    private static final int UNPLUG_ALL = 2;
    private static final int STATE = 3;
    private static final int ACK = 0;
    private static final int ERROR = 3;
    private static final int PLUGGED = 0;
    private static final int UNPLUGGED = 1;
    private static final int MIXED = 2;
    private static final int HEADER_PADDING = 2;
    private static final int DATA_PADDING = 18;
    private static final int PADDING = 6;
    private static final int CONFIG_SIZE = 56;
    private static final int BLOCK_SIZE = 0;
    private static final int REGION_SIZE = 24;
    private static final int USABLE = 32;
    private static final int PLUGGED_SIZE = 40;
    private static final int REQUESTED = 48;
    private static final long ADDRESS = 4L << 30;
    private static final long BLOCK = 2 << 20;
    private static final long SMALL_RAM = 16 << 20;

    static final List<Mutation> ALL = List.of(
            // Config space
            mem("mem.config.5", "region_size grows while blocks are plugged", config(fields -> {
                if (fields.getLong(PLUGGED_SIZE) > 0) {
                    add(fields, REGION_SIZE, BLOCK);
                }
            })),
            mem("mem.config.6", "plugged_size lacks one block", config(fields -> {
                if (fields.getLong(PLUGGED_SIZE) > 0) {
                    add(fields, PLUGGED_SIZE, -BLOCK);
                }
            })),
            mem(
                    "mem.config.7",
                    "usable_region_size is one block below requested_size",
                    config(fields -> fields.putLong(USABLE, fields.getLong(REQUESTED) - BLOCK))),
            mem(
                    "mem.config.8",
                    "block_size is no power of two",
                    config(fields -> fields.putLong(BLOCK_SIZE, BLOCK + BLOCK / 2))),
            mem(
                    "mem.config.9",
                    "requested_size is no multiple of block_size",
                    config(fields -> add(fields, REQUESTED, -4096))),
            mem("mem.config.11", "usable_region_size shrinks while blocks are plugged", config(fields -> {
                if (fields.getLong(PLUGGED_SIZE) > 0) {
                    add(fields, USABLE, -BLOCK);
                }
            })),
            mem("mem.config.12", "usable_region_size grows and nobody is told", MemMutations::growsInSilence),
            mem(
                    "mem.config.13",
                    "a change of plugged_size is told",
                    () -> new Broken().beforeUsed((ring, chain) -> {
                        if (MemRequest.of(ring, chain).type() == PLUG) {
                            ring.line().overChannel(Message.request(Request.BackEnd.CONFIG_CHANGE, Payload.none()));
                        }
                    })),
            // Blocks
            mem(
                    "mem.init.3",
                    "a driver without UNPLUGGED_INACCESSIBLE is accepted and not served",
                    () -> new Broken()
                            .usedAs((ring, elements) ->
                                    (ring.line().features() & UNPLUGGED_INACCESSIBLE) == 0 ? List.of() : elements)),
            mem("mem.init.4", "a reset unplugs all blocks", MemMutations::resetUnplugs),
            mem(
                    "mem.init.5",
                    "a reset clears plugged blocks",
                    () -> new Broken().relaying().before(Request.SET_STATUS, MemMutations::clearFirstBlock)),
            mem(
                    "mem.block.14",
                    "a request for other blocks clears the first one",
                    () -> new Broken().beforeUsed((ring, chain) -> {
                        if (MemRequest.of(ring, chain).address() != ADDRESS) {
                            clear(ring.memory());
                        }
                    })),
            mem(
                    "mem.block.15",
                    "what the driver writes into plugged blocks does not stay",
                    () -> new Broken().beforeUsed((ring, chain) -> {
                        if (MemRequest.of(ring, chain).type() == STATE) {
                            clear(ring.memory());
                        }
                    })),
            mem("mem.block.16", "an unplugged block can't be read any more", MemMutations::cutShort),
            mem("mem.block.19", "blocks are unplugged when the guest wakes up", () -> suspending(resetUnplugs())),
            // Requests
            mem("mem.plug.2", "PLUG with something in its first padding is an error", padded(PLUG, HEADER_PADDING)),
            mem("mem.plug.3", "PLUG with something in its last padding is an error", padded(PLUG, DATA_PADDING)),
            mem("mem.plug.4", "PLUG of a wrong range is acknowledged", acknowledged(PLUG, true)),
            mem("mem.plug.5", "PLUG of a plugged block is acknowledged", acknowledged(PLUG, false)),
            mem("mem.plug.7", "PLUG plugs and says that it is an error", failed(PLUG)),
            mem(
                    "mem.plug.8",
                    "plugged_size does not show what was plugged",
                    config(fields -> fields.putLong(PLUGGED_SIZE, 0))),
            mem(
                    "mem.unplug.2",
                    "UNPLUG with something in its first padding is an error",
                    padded(UNPLUG, HEADER_PADDING)),
            mem("mem.unplug.3", "UNPLUG with something in its last padding is an error", padded(UNPLUG, DATA_PADDING)),
            mem("mem.unplug.4", "UNPLUG of a wrong range is acknowledged", acknowledged(UNPLUG, true)),
            mem("mem.unplug.5", "UNPLUG of an unplugged block is acknowledged", acknowledged(UNPLUG, false)),
            mem("mem.unplug.7", "UNPLUG unplugs and says that it is an error", failed(UNPLUG)),
            mem("mem.unplug.8", "plugged_size does not show what was unplugged", MemMutations::neverLess),
            mem(
                    "mem.unplug-all.2",
                    "UNPLUG ALL with something behind its type is an error",
                    padded(UNPLUG_ALL, HEADER_PADDING)),
            mem(
                    "mem.unplug-all.3",
                    "UNPLUG ALL with something in its last padding is an error",
                    padded(UNPLUG_ALL, DATA_PADDING)),
            mem("mem.unplug-all.5", "UNPLUG ALL unplugs and says that it is an error", failed(UNPLUG_ALL)),
            mem("mem.unplug-all.6", "plugged_size is one block after UNPLUG ALL", config(fields -> {
                if (fields.getLong(PLUGGED_SIZE) == 0) {
                    add(fields, PLUGGED_SIZE, BLOCK);
                }
            })),
            mem("mem.unplug-all.7", "usable_region_size is below requested_size after UNPLUG ALL", config(fields -> {
                if (fields.getLong(PLUGGED_SIZE) == 0) {
                    fields.putLong(USABLE, fields.getLong(REQUESTED) - BLOCK);
                }
            })),
            mem("mem.state.3", "STATE with something in its first padding is an error", padded(STATE, HEADER_PADDING)),
            mem("mem.state.4", "STATE with something in its last padding is an error", padded(STATE, DATA_PADDING)),
            mem("mem.state.5", "STATE of a wrong range is acknowledged", acknowledged(STATE, true)),
            mem("mem.state.6", "STATE is always an error", failed(STATE)),
            mem("mem.state.7", "plugged blocks are said to be mixed", stateInstead(PLUGGED, MIXED)),
            mem("mem.state.8", "unplugged blocks are said to be plugged", stateInstead(UNPLUGGED, PLUGGED)),
            mem("mem.state.9", "mixed blocks are said to be plugged", stateInstead(MIXED, PLUGGED)));

    private MemMutations() {}

    private static Mutation mem(String requirement, String name, Supplier<Tampering> tampering) {
        return new Mutation(requirement, name, DeviceType.MEM, tampering);
    }

    /** A request of the driver, with its bytes. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record MemRequest(int type, long address, int blocks, byte[] bytes) {
        static MemRequest of(RingRelay ring, Chain chain) {
            byte[] bytes = Arrays.copyOf(chain.readable(ring.memory()), 24);
            ByteBuffer fields = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
            return new MemRequest(fields.getShort(0), fields.getLong(8), fields.getShort(16) & 0xffff, bytes);
        }

        boolean isRange() {
            return address % BLOCK == 0 && address >= ADDRESS && blocks > 0;
        }

        boolean isPadded(int at) {
            for (int i = 0; i < PADDING; i++) {
                if (bytes[at + i] != 0) {
                    return true;
                }
            }
            return false;
        }
    }

    /** The change of a response: type at 0, state at 8. */
    @FunctionalInterface
    private interface Answer {
        void change(MemRequest request, MemorySegment response);
    }

    private static Broken answer(Answer answer) {
        return new Broken().beforeUsed((ring, chain) -> {
            MemorySegment response = chain.first(true, ring.memory());
            if (response != null && response.byteSize() >= 10) {
                answer.change(MemRequest.of(ring, chain), response);
            }
        });
    }

    private static Supplier<Tampering> padded(int type, int at) {
        return () -> answer((request, response) -> {
            if (request.type() == type && request.isPadded(at)) {
                response.set(LE_SHORT, 0, (short) ERROR);
            }
        });
    }

    private static Supplier<Tampering> acknowledged(int type, boolean wrongRange) {
        return () -> answer((request, response) -> {
            if (request.type() == type && response.get(LE_SHORT, 0) == ERROR && (wrongRange || request.isRange())) {
                response.set(LE_SHORT, 0, (short) ACK);
            }
        });
    }

    private static Supplier<Tampering> failed(int type) {
        return () -> answer((request, response) -> {
            if (request.type() == type) {
                response.set(LE_SHORT, 0, (short) ERROR);
            }
        });
    }

    private static Supplier<Tampering> stateInstead(int state, int other) {
        return () -> answer((request, response) -> {
            if (request.type() == STATE && response.get(LE_SHORT, 0) == ACK && response.get(LE_SHORT, 8) == state) {
                response.set(LE_SHORT, 8, (short) other);
            }
        });
    }

    private static Supplier<Tampering> config(Consumer<ByteBuffer> change) {
        return () -> config(new Broken(), change);
    }

    /** Changes each answer to GET_CONFIG that has the whole config space. */
    private static Broken config(Broken broken, Consumer<ByteBuffer> change) {
        return broken.answering(Request.GET_CONFIG, message -> {
            if (message.intAt(0) != 0 || message.intAt(4) < CONFIG_SIZE) {
                return message;
            }
            byte[] payload = message.payload().clone();
            change.accept(ByteBuffer.wrap(payload)
                    .slice(Payload.CONFIG_HEADER_SIZE, CONFIG_SIZE)
                    .order(ByteOrder.LITTLE_ENDIAN));
            return message.withPayload(payload);
        });
    }

    private static void add(ByteBuffer fields, int at, long summand) {
        fields.putLong(at, fields.getLong(at) + summand);
    }

    private static Tampering growsInSilence() {
        long[] most = new long[1];
        return config(new Broken(), fields -> {
            add(fields, USABLE, most[0]);
            most[0] += BLOCK;
        });
    }

    private static Tampering neverLess() {
        long[] plugged = new long[1];
        Broken broken = answer((request, response) -> {
            if (request.type() == PLUG && response.get(LE_SHORT, 0) == ACK) {
                plugged[0] += request.blocks() * BLOCK;
            }
        });
        return config(broken, fields -> fields.putLong(PLUGGED_SIZE, plugged[0]));
    }

    /** Offers PERSISTENT_SUSPEND, which demands nothing of a device that keeps its blocks anyway. */
    private static Broken suspending(Broken broken) {
        return broken.withBits(Request.GET_FEATURES, PERSISTENT_SUSPEND)
                .taking(Request.SET_FEATURES, message -> message.withLong(0, message.longAt(0) & ~PERSISTENT_SUSPEND));
    }

    private static Broken resetUnplugs() {
        boolean[] wasReset = new boolean[1];
        Broken broken = answer((request, response) -> {
            if (wasReset[0] && request.type() == STATE) {
                response.set(LE_SHORT, 8, (short) UNPLUGGED);
            }
        });
        return broken.before(Request.SET_STATUS, line -> wasReset[0] = true);
    }

    private static void clearFirstBlock(Line line) {
        clear(line.memory());
    }

    private static void clear(GuestView memory) {
        MemorySegment block = memory.guest(ADDRESS, BLOCK);
        if (block != null) {
            block.fill((byte) 0);
        }
    }

    /** Truncates the file of the guest's memory where the blocks begin, after one was unplugged. */
    private static Tampering cutShort() {
        @Nullable SharedFile[] file = new SharedFile[1];
        Broken broken = answer((request, response) -> {
            SharedFile kept = file[0];
            if (request.type() == UNPLUG && kept != null) {
                try {
                    kept.truncate(SMALL_RAM);
                    kept.close();
                } catch (LinuxException e) {
                    throw new IllegalStateException(e);
                }
                file[0] = null;
            }
        });
        return broken.onEveryRequest((message, line) -> {
            for (Fd fd : message.fds()) {
                if (message.request() == Request.SET_MEM_TABLE && file[0] == null) {
                    file[0] = new SharedFile(fd.duplicate());
                }
            }
            return List.of(message);
        });
    }
}
