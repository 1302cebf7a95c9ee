package org.exomem.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.exomem.mem.BlockMap.State;
import org.exomem.pages.BitStore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BlockMapTest {
    @Test
    void allBlocksAreUnpluggedAtFirst() {
        BlockMap map = new BlockMap(100);
        assertThat(map.state(0, 100)).isEqualTo(State.UNPLUGGED);
        assertThat(map.plugged()).isZero();
    }

    @Test
    void aRangeIsMixedAsSoonAsOneBlockDiffers() {
        BlockMap map = new BlockMap(1000);
        map.set(100, 800, true);
        assertThat(map.state(100, 800)).isEqualTo(State.PLUGGED);
        assertThat(map.state(99, 2)).isEqualTo(State.MIXED);
        assertThat(map.state(899, 2)).isEqualTo(State.MIXED);
        map.set(500, 1, false);
        assertThat(map.state(100, 800)).isEqualTo(State.MIXED);
        assertThat(map.plugged()).isEqualTo(799);
    }

    @Test
    void rangesOutsideOfTheMapAreRefused() {
        BlockMap map = new BlockMap(10);
        assertThatThrownBy(() -> map.state(-1, 1)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> map.state(0, 0)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> map.set(9, 2, true)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> map.set(1, Long.MAX_VALUE, true)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void aMapTakesUpWhatItsMemoryHolds() throws Exception {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(BitStore.bytes(70), 8);
            BitStore.format(memory);
            new BlockMap(BitStore.open(memory, 70), 70).set(60, 10, true);
            BlockMap again = new BlockMap(BitStore.open(memory, 70), 70);
            assertThat(again.plugged()).isEqualTo(10);
            assertThat(again.state(60, 10)).isEqualTo(State.PLUGGED);
        }
    }

    @Test
    void fourTebibytesInBlocksOfTwoMebibytesCostAQuarterOfAMebibyte() {
        assertThat(BitStore.bytes((4L << 40) / (2L << 20))).isEqualTo((256 << 10) + 64);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void behavesLikeASetOfNumbersUnderRandomChanges(long seed) {
        Random random = new Random(seed);
        int blocks = 1 + random.nextInt(700);
        BlockMap map = new BlockMap(blocks);
        BitSet model = new BitSet(blocks);
        for (int i = 0; i < 5_000; i++) {
            int first = random.nextInt(blocks);
            int count = 1 + random.nextInt(blocks - first);
            boolean plug = random.nextBoolean();
            map.set(first, count, plug);
            model.set(first, first + count, plug);
            int from = random.nextInt(blocks);
            int length = 1 + random.nextInt(blocks - from);
            int set = model.get(from, from + length).cardinality();
            assertThat(map.state(from, length))
                    .as("seed %d, change %d", seed, i)
                    .isEqualTo(set == 0 ? State.UNPLUGGED : set == length ? State.PLUGGED : State.MIXED);
            assertThat(map.plugged()).isEqualTo(model.cardinality());
            int end = random.nextInt(blocks + 1);
            assertThat(runs(map, plug, end)).isEqualTo(runs(model, plug, end));
        }
    }

    private static List<String> runs(BlockMap map, boolean plugged, int end) {
        List<String> runs = new ArrayList<>();
        map.forEachRun(plugged, end, (first, count) -> runs.add(first + "+" + count));
        return runs;
    }

    private static List<String> runs(BitSet model, boolean plugged, int end) {
        List<String> runs = new ArrayList<>();
        int from = -1;
        for (int i = 0; i <= end; i++) {
            boolean in = i < end && model.get(i) == plugged;
            if (in && from < 0) {
                from = i;
            } else if (!in && from >= 0) {
                runs.add(from + "+" + (i - from));
                from = -1;
            }
        }
        return runs;
    }
}
