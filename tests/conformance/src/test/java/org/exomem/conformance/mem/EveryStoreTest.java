package org.exomem.conformance.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.exomem.conformance.mem.MemBackEnd.ADDRESS;
import static org.exomem.conformance.mem.MemBackEnd.BLOCK;
import static org.exomem.conformance.mem.MemBackEnd.MIB;
import static org.exomem.conformance.mem.MemBackEnd.SIZE;
import static org.exomem.conformance.mem.MemBackEnd.block;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.conformance.guest.MemDriver.Answer;
import org.exomem.conformance.guest.MemDriver.State;
import org.exomem.mem.KeptBlocks;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.pages.CorruptBitsException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A process that ends after each single store of a request. The stores are those of spec/state.md (STA-BIT-2,
 * STA-LAST-1, STA-MEM-1), in its order. A replay of them must give the device's result, which shows that no store is
 * missing.
 */
class EveryStoreTest {
    private static final MemoryRegionPlan PLAN = new MemoryRegionPlan(ADDRESS, SIZE, BLOCK, OptionalInt.empty());
    // Numbers of words in the body.
    private static final int LAST = 8;
    private static final long NO_CHANGE = 0x6e6f6368616e6764L;
    private static final int DIGEST = 16;
    private static final int CHANGING = 17;
    private static final int BEFORE = 18;
    private static final int AFTER = 19;
    private static final int MAP = 24;
    private static final int MAP_WORDS = 4;
    // Blocks of two words of the map.
    private static final int FIRST = 60;
    private static final int COUNT = 10;
    private static final int IN_FIRST_WORD = 4;
    private static final long PERSISTENT_SUSPEND = 1 << 2;

    @TempDir
    Path folder;

    private int processes;

    private record Store(int at, long value) {}

    /** A process that takes over what another one has left. */
    private MemBackEnd process(long[] body) throws Exception {
        return process(body, GuestRam.ofLayout(0, 16 * MIB, ADDRESS, SIZE));
    }

    private MemBackEnd process(long[] body, GuestRam ram) throws Exception {
        KeptBlocks kept = KeptBlocks.open(MemorySegment.ofArray(body), PLAN);
        return new MemBackEnd(folder.resolve("mem" + processes++), kept, SIZE, false, ram);
    }

    private static long[] fresh() {
        long[] body = new long[(int) KeptBlocks.bytes(PLAN) / Long.BYTES];
        KeptBlocks.format(MemorySegment.ofArray(body));
        return body;
    }

    /** The state that a device leaves after a request. */
    private long[] after(long[] body, int type, int first, int count) throws Exception {
        long[] copy = body.clone();
        try (MemBackEnd backEnd = process(copy);
                MemDriver driver = backEnd.connect()) {
            assertThat(driver.send(type, block(first), count).answer()).isEqualTo(Answer.ACK);
        }
        return copy;
    }

    private long[] plugged;
    private long[] empty;

    @BeforeEach
    void prepare() throws Exception {
        long[] fresh = fresh();
        // Blocks that have nothing to do with the request, in both words and elsewhere.
        empty = after(after(after(fresh, MemDriver.PLUG, 3, 2), MemDriver.PLUG, 75, 1), MemDriver.PLUG, 200, 3);
        plugged = after(empty, MemDriver.PLUG, FIRST, COUNT);
    }

    /**
     * The stores between images: the record of the change, then each word of the map that differs from image to image.
     */
    private static List<Store> stores(long[]... images) {
        long[] last = images[images.length - 1];
        List<Store> stores = new ArrayList<>();
        stores.add(new Store(LAST, NO_CHANGE));
        for (int i = 1; i <= 4; i++) {
            stores.add(new Store(LAST + i, last[LAST + i]));
        }
        stores.add(new Store(LAST, last[LAST]));
        for (int i = 1; i < images.length; i++) {
            for (int word = 0; word < MAP_WORDS; word++) {
                long before = images[i - 1][MAP + word];
                long after = images[i][MAP + word];
                if (before != after) {
                    stores.add(new Store(BEFORE, before));
                    stores.add(new Store(AFTER, after));
                    stores.add(new Store(CHANGING, word + 1));
                    stores.add(new Store(MAP + word, after));
                    stores.add(new Store(DIGEST, images[i][DIGEST]));
                    stores.add(new Store(CHANGING, 0));
                }
            }
        }
        return stores;
    }

    private static long[] replay(long[] before, List<Store> stores) {
        long[] body = before.clone();
        stores.forEach(store -> body[store.at] = store.value);
        return body;
    }

    private void assertEveryDeathIsSurvived(int type, State end, long[]... images) throws Exception {
        long[] before = images[0];
        List<Store> stores = stores(images);
        assertThat(replay(before, stores)).as("these are all stores").isEqualTo(images[images.length - 1]);
        for (int n = 0; n <= stores.size(); n++) {
            String instant = "after " + n + " of " + stores.size() + " stores";
            try (MemBackEnd backEnd = process(replay(before, stores.subList(0, n)));
                    MemDriver driver = backEnd.connect()) {
                // The driver waits for its answer, so the request comes again, before anything else.
                boolean all = type == MemDriver.UNPLUG_ALL;
                assertThat(driver.send(type, all ? 0 : block(FIRST), all ? 0 : COUNT)
                                .answer())
                        .as(instant)
                        .isEqualTo(Answer.ACK);
                assertThat(driver.state(block(FIRST), COUNT)).as(instant).isEqualTo(end);
                long others = all ? 0 : 6;
                long mine = end == State.PLUGGED ? COUNT : 0;
                assertThat(driver.config().pluggedSize()).as(instant).isEqualTo((others + mine) * BLOCK);
                assertThat(driver.state(block(3), 2)).isEqualTo(all ? State.UNPLUGGED : State.PLUGGED);
                assertThat(backEnd.faults).isEmpty();
            }
        }
    }

    @Test
    @Tag("STA-BIT-2")
    @Tag("STA-LAST-1")
    @Tag("STA-MEM-1")
    @Tag("STA-MEM-2")
    @Tag("STA-MEM-3")
    void aPlugSurvivesDeathAfterEveryStore() throws Exception {
        long[] half = after(empty, MemDriver.PLUG, FIRST, IN_FIRST_WORD);
        assertEveryDeathIsSurvived(MemDriver.PLUG, State.PLUGGED, empty, half, plugged);
    }

    @Test
    @Tag("STA-BIT-2")
    @Tag("STA-LAST-1")
    @Tag("STA-MEM-1")
    @Tag("STA-MEM-2")
    @Tag("STA-MEM-3")
    void anUnplugSurvivesDeathAfterEveryStore() throws Exception {
        long[] half = after(plugged, MemDriver.UNPLUG, FIRST, IN_FIRST_WORD);
        long[] whole = after(plugged, MemDriver.UNPLUG, FIRST, COUNT);
        assertEveryDeathIsSurvived(MemDriver.UNPLUG, State.UNPLUGGED, plugged, half, whole);
    }

    @Test
    @Tag("STA-BIT-2")
    @Tag("STA-LAST-1")
    @Tag("STA-MEM-1")
    @Tag("STA-MEM-2")
    @Tag("STA-MEM-3")
    void anUnplugOfEverythingSurvivesDeathAfterEveryStore() throws Exception {
        long[] one = after(after(plugged, MemDriver.UNPLUG, 3, 2), MemDriver.UNPLUG, FIRST, IN_FIRST_WORD);
        long[] two = after(
                after(one, MemDriver.UNPLUG, FIRST + IN_FIRST_WORD, COUNT - IN_FIRST_WORD), MemDriver.UNPLUG, 75, 1);
        long[] all = after(plugged, MemDriver.UNPLUG_ALL, 0, 0);
        assertEveryDeathIsSurvived(MemDriver.UNPLUG_ALL, State.UNPLUGGED, plugged, one, two, all);
    }

    @Test
    @Tag("STA-MEM-3")
    void answeredRequestIsNotRepeated() throws Exception {
        try (MemBackEnd backEnd = process(plugged.clone());
                MemDriver driver = backEnd.connect()) {
            assertThat(driver.state(block(FIRST), COUNT)).isEqualTo(State.PLUGGED);
            assertThat(driver.plug(block(FIRST), COUNT)).isEqualTo(Answer.ERROR);
        }
    }

    @Test
    @Tag("STA-MEM-3")
    void equalRequestAtAnotherRingPositionIsNoRepetition() throws Exception {
        long[] body = fresh();
        GuestRam ram = GuestRam.ofLayout(0, 16 * MIB, ADDRESS, SIZE);
        try (MemBackEnd first = process(body, ram);
                MemDriver driver = first.connect()) {
            // Behind another request, so that its position is not that of a new driver.
            assertThat(driver.state(block(0), 1)).isEqualTo(State.UNPLUGGED);
            assertThat(driver.plug(block(FIRST), COUNT)).isEqualTo(Answer.ACK);
            int base = driver.device().stop().getFirst();
            try (MemBackEnd next = process(body.clone(), ram);
                    AttachedDevice attached = next.attach(0)) {
                attached.start(driver.ring(), base, false);
                assertThat(driver.plug(block(FIRST), COUNT)).isEqualTo(Answer.ERROR);
            }
            try (MemBackEnd next = process(body.clone());
                    MemDriver anew = next.connect()) {
                assertThat(anew.plug(block(FIRST), COUNT)).isEqualTo(Answer.ERROR);
            }
        }
    }

    @Test
    @Tag("STA-MEM-3")
    @Tag("MEM-REQ-8")
    void plugThatCanNotBeRepeatedIsUndone() throws Exception {
        GuestRam elsewhere = GuestRam.ofLayout(0, 16 * MIB);
        try (MemBackEnd backEnd = process(plugged.clone(), elsewhere);
                MemDriver driver = backEnd.connect()) {
            assertThat(driver.plug(block(FIRST), COUNT)).isEqualTo(Answer.BUSY);
            assertThat(driver.state(block(FIRST), COUNT)).isEqualTo(State.UNPLUGGED);
        }
    }

    @Test
    @Tag("STA-MEM-2")
    void memoryOfAnInterruptedUnplugIsEmptiedWithoutTheDriver() throws Exception {
        long[] whole = after(plugged, MemDriver.UNPLUG, FIRST, COUNT);
        long[] begun = replay(plugged, stores(plugged, whole).subList(0, 6));
        try (MemBackEnd backEnd = process(begun)) {
            backEnd.ram.fill(block(FIRST), BLOCK, (byte) 7);
            backEnd.ram.fill(block(3), BLOCK, (byte) 7);
            try (MemDriver driver = backEnd.connect()) {
                assertThat(driver.state(block(FIRST), COUNT)).isEqualTo(State.UNPLUGGED);
                assertThat(backEnd.ram.getByte(block(FIRST))).isZero();
                assertThat(backEnd.ram.getByte(block(3))).isEqualTo((byte) 7);
            }
        }
    }

    @Test
    @Tag("STA-MEM-2")
    void memoryOfAnInterruptedUnplugAllIsEmptiedWhereItIsShared() throws Exception {
        long[] all = after(plugged, MemDriver.UNPLUG_ALL, 0, 0);
        long[] begun = replay(plugged, stores(plugged, all).subList(0, 6));
        GuestRam half = GuestRam.ofLayout(0, 16 * MIB, ADDRESS, SIZE / 2);
        try (MemBackEnd backEnd = process(begun, half)) {
            half.fill(block(FIRST), BLOCK, (byte) 7);
            try (MemDriver driver = backEnd.connect()) {
                assertThat(half.getByte(block(FIRST))).isZero();
                half.fill(block(FIRST), BLOCK, (byte) 7);
                assertThat(driver.unplugAll()).isEqualTo(Answer.ACK);
                assertThat(half.getByte(block(FIRST))).isZero();
            }
        }
    }

    @Test
    @Tag("MEM-FEAT-3")
    void pluggedMemorySurvivesSuspendAndANewProcess() throws Exception {
        GuestRam ram = GuestRam.ofLayout(0, 16 * MIB, ADDRESS, SIZE);
        try (MemBackEnd first = process(plugged, ram);
                MemDriver asleep = first.connect();
                MemBackEnd next = process(plugged.clone(), ram)) {
            assertThat(asleep.device().features() & PERSISTENT_SUSPEND).isNotZero();
            ram.fill(block(FIRST), BLOCK, (byte) 7);
            asleep.device().stop();
            try (MemDriver awake = next.connect()) {
                assertThat(awake.state(block(FIRST), COUNT)).isEqualTo(State.PLUGGED);
                assertThat(ram.getByte(block(FIRST))).isEqualTo((byte) 7);
            }
        }
    }

    @Test
    void operatorsResetOutlivesTheProcess() throws Exception {
        long[] body = plugged.clone();
        try (MemBackEnd backEnd = process(body)) {
            backEnd.systemReset();
        }
        try (MemBackEnd backEnd = process(body)) {
            assertThat(backEnd.device.pluggedSize()).isZero();
        }
    }

    @Test
    @Tag("STA-BIT-3")
    void wordThatIsNeitherBeforeNorAfterIsCorrupt() throws Exception {
        List<Store> stores = stores(empty, plugged);
        long[] body = replay(empty, stores.subList(0, 6 + 3));
        KeptBlocks.open(MemorySegment.ofArray(body.clone()), PLAN);
        body[MAP] ^= 1L << 50;
        assertThatThrownBy(() -> KeptBlocks.open(MemorySegment.ofArray(body), PLAN))
                .isInstanceOf(CorruptBitsException.class)
                .hasMessageContaining("word 0");
    }
}
