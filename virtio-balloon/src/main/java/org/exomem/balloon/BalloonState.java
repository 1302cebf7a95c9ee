package org.exomem.balloon;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.function.Consumer;
import org.exomem.pages.PageSet;
import org.exomem.vhostuser.backend.DeviceState;
import org.exomem.vhostuser.backend.DeviceStateException;

/**
 * A balloon's state on its way to another host (spec/state.md). Numbers are little-endian.
 *
 * <pre>
 *  0 num_pages    u32
 *  4 actual       u32
 *  8 poison_val   u32
 * 12 command_id   u32   of free page hinting; 0 before the first session
 * 16 position     u32   of the inflate queue, as GET_VRING_BASE has it
 * 20 driver       u32   1 if a driver was served, whose pages and position these are; otherwise 0
 * 24 chunks       u32   how many follow
 * 28 reserved     u32   0
 * 32 chunks, in ascending order:
 *      0 number   u32   of the GiB of guest addresses
 *      4 reserved u32   0
 *      8 pages    32768 bytes, one bit for each, in words of 64
 * </pre>
 */
final class BalloonState implements DeviceState {
    /** The size for 4 TiB of guest memory with pages in the balloon in every GiB. */
    private static final int MOST_CHUNKS = 4096;
    /** Page numbers have 32 bits. */
    private static final int CHUNK_LIMIT = (int) ((1L << 32) / PageSet.CHUNK_PAGES);

    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long NUM_PAGES = 0;
    private static final long ACTUAL = 4;
    private static final long POISON_VAL = 8;
    private static final long COMMAND_ID = 12;
    private static final long POSITION = 16;
    private static final long DRIVER = 20;
    private static final long CHUNKS = 24;
    private static final long RESERVED = 28;
    private static final long FIRST_CHUNK = 32;
    private static final int CHUNK_WORDS = PageSet.CHUNK_PAGES / Long.SIZE;
    private static final long CHUNK_HEADER = 8;
    private static final long CHUNK_BYTES = CHUNK_HEADER + CHUNK_WORDS * (long) Long.BYTES;

    private final KeptBalloon kept;
    private final Consumer<MemorySegment> loaded;

    /** @param loaded receives a state that is valid, and applies it */
    BalloonState(KeptBalloon kept, Consumer<MemorySegment> loaded) {
        this.kept = kept;
        this.loaded = loaded;
    }

    @Override
    public long maxBytes() {
        return FIRST_CHUNK + MOST_CHUNKS * CHUNK_BYTES;
    }

    @Override
    public MemorySegment save() throws DeviceStateException {
        PageSet pages = kept.pages;
        int chunks = 0;
        // Until the set is cleared it may contain pages that belong to no driver.
        int all = kept.hasDriver() ? pages.chunks() : 0;
        for (int chunk = 0; chunk < all; chunk++) {
            chunks += pages.isEmpty(chunk) ? 0 : 1;
        }
        if (chunks > MOST_CHUNKS) {
            throw new DeviceStateException(
                    "pages are in the balloon in " + chunks + " GiB of guest memory; the limit is " + MOST_CHUNKS);
        }
        MemorySegment state = Arena.ofAuto().allocate(FIRST_CHUNK + chunks * CHUNK_BYTES, 8);
        state.set(LE_INT, NUM_PAGES, kept.numPages.get());
        state.set(LE_INT, ACTUAL, kept.actual.get());
        state.set(LE_INT, POISON_VAL, kept.poisonVal.get());
        state.set(LE_INT, COMMAND_ID, kept.commandId.get());
        state.set(LE_INT, POSITION, kept.position.get());
        state.set(LE_INT, DRIVER, kept.hasDriver() ? 1 : 0);
        state.set(LE_INT, CHUNKS, chunks);
        long at = FIRST_CHUNK;
        for (int chunk = 0; chunk < all; chunk++) {
            if (!pages.isEmpty(chunk)) {
                state.set(LE_INT, at, chunk);
                for (int word = 0; word < CHUNK_WORDS; word++) {
                    state.set(LE_LONG, at + CHUNK_HEADER + word * (long) Long.BYTES, pages.word(chunk, word));
                }
                at += CHUNK_BYTES;
            }
        }
        return state;
    }

    @Override
    public void load(MemorySegment state) throws DeviceStateException {
        if (state.byteSize() < FIRST_CHUNK) {
            throw new DeviceStateException("a balloon's state of " + state.byteSize() + " bytes is too short");
        }
        long chunks = Integer.toUnsignedLong(state.get(LE_INT, CHUNKS));
        if (chunks > MOST_CHUNKS || state.byteSize() != FIRST_CHUNK + chunks * CHUNK_BYTES) {
            throw new DeviceStateException("a balloon's state of " + state.byteSize() + " bytes can't have " + chunks
                    + " GiB with pages in the balloon");
        }
        int driver = state.get(LE_INT, DRIVER);
        if (driver != 0 && driver != 1 || driver == 0 && chunks > 0 || state.get(LE_INT, RESERVED) != 0) {
            throw new DeviceStateException("a balloon's state can't have driver " + Integer.toUnsignedString(driver)
                    + ", pages in " + chunks + " GiB, and " + state.get(LE_INT, RESERVED) + " in a reserved field");
        }
        long before = -1;
        for (long at = FIRST_CHUNK; at < state.byteSize(); at += CHUNK_BYTES) {
            long number = Integer.toUnsignedLong(state.get(LE_INT, at));
            if (number <= before || number >= CHUNK_LIMIT || state.get(LE_INT, at + 4) != 0) {
                throw new DeviceStateException(
                        "a balloon's state has chunk " + number + " (a GiB of guest memory) after chunk " + before
                                + ": chunks must ascend, up to " + (CHUNK_LIMIT - 1));
            }
            before = number;
        }
        loaded.accept(state);
    }

    /** Takes the numbers of the operator and of the config space. */
    static void takeNumbers(MemorySegment state, KeptBalloon kept) {
        kept.numPages.set(state.get(LE_INT, NUM_PAGES));
        kept.actual.set(state.get(LE_INT, ACTUAL));
        kept.poisonVal.set(state.get(LE_INT, POISON_VAL));
        int commandId = state.get(LE_INT, COMMAND_ID);
        if (commandId == 0) {
            kept.commandId.forget();
        } else {
            kept.commandId.set(commandId);
        }
    }

    /** Takes the pages, and then the position that makes them the driver's. */
    static void takePages(MemorySegment state, KeptBalloon kept) {
        kept.position.forget();
        kept.pages.clear();
        for (long at = FIRST_CHUNK; at < state.byteSize(); at += CHUNK_BYTES) {
            int chunk = state.get(LE_INT, at);
            for (int word = 0; word < CHUNK_WORDS; word++) {
                long pages = state.get(LE_LONG, at + CHUNK_HEADER + word * (long) Long.BYTES);
                if (pages != 0) {
                    kept.pages.setWord(chunk, word, pages);
                }
            }
        }
        if (state.get(LE_INT, DRIVER) == 1) {
            kept.position.set(state.get(LE_INT, POSITION));
        }
    }
}
