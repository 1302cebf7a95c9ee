package org.exomem.vhostuser.virtqueue;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.exomem.vhostuser.virtqueue.TestDriver.Piece;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A back-end that dies between two stores of a pop or a push. The stores are those that vhost-user's "Inflight I/O
 * tracking" lists, in its order. Each test runs the operation, restores memory to its earlier content, and repeats only
 * the first stores.
 */
class InflightCrashTest {
    private static final String ALL = "org.exomem.vhostuser.virtqueue.RingKind#all";

    /** The numbers that one store changes: offset and bytes, in the region or in the ring. */
    private record Store(MemorySegment target, long... offsetsAndBytes) {
        void copyFrom(Images after) {
            MemorySegment source = after.of(target);
            for (int i = 0; i < offsetsAndBytes.length; i += 2) {
                MemorySegment.copy(source, offsetsAndBytes[i], target, offsetsAndBytes[i], offsetsAndBytes[i + 1]);
            }
        }
    }

    /** The content of the shared memory at one moment. */
    private record Images(List<MemorySegment> parts, List<byte[]> bytes) {
        static Images take(List<MemorySegment> parts) {
            return new Images(
                    parts, parts.stream().map(part -> part.toArray(JAVA_BYTE)).toList());
        }

        MemorySegment of(MemorySegment part) {
            return MemorySegment.ofArray(bytes.get(parts.indexOf(part)));
        }

        void putBack() {
            parts.forEach(part -> part.copyFrom(of(part)));
        }
    }

    private final Arena arena = Arena.ofShared();
    private final GuestRam ram = GuestRam.of(1 << 16);

    @AfterEach
    void unmap() {
        arena.close();
        ram.close();
    }

    /** A queue that has wrapped several times: one chain is held, and one more is available. */
    private final class Scene {
        final RingKind kind;
        final TestDriver driver;
        final MemorySegment region;
        final List<MemorySegment> shared;
        final List<Long> outstanding = new ArrayList<>();
        Virtqueue queue;
        long nextAddress = GuestRam.START;

        Scene(RingKind kind, int size, int chainsBefore) {
            this.kind = kind;
            ram.reset();
            driver = TestDriver.create(ram, kind, size);
            region = arena.allocate(InflightRegion.bytes(size, kind.features()), 64);
            shared = List.of(driver.descriptors, driver.deviceArea, region);
            queue = restart();
            for (int i = 0; i < chainsBefore; i++) {
                offer(1);
                push(pop());
                driver.poll();
                outstanding.clear();
            }
        }

        Virtqueue restart() {
            return Virtqueue.create(driver.setup(driver.kind.packed() ? 0x8000_8000 : 0, region));
        }

        void offer(int pieces) {
            long address = nextAddress++;
            List<Piece> list = IntStream.range(0, Math.min(pieces, driver.maxPieces()))
                    .mapToObj(i -> new Piece(address, 8, true))
                    .toList();
            if (driver.add(list) >= 0) {
                outstanding.add(address);
            }
        }

        DescriptorChain pop() {
            DescriptorChain chain = new DescriptorChain();
            assertThat(queue.pop(chain)).isTrue();
            return chain;
        }

        void push(DescriptorChain chain) {
            queue.push(chain, 1);
        }

        /** Starts the next back-end, and carries out all that it finds. Checks that the driver gets each chain once. */
        List<Long> finish() {
            queue = restart();
            List<Long> found = new ArrayList<>();
            DescriptorChain chain = new DescriptorChain();
            while (queue.pop(chain)) {
                found.add(chain.guestAddress(0));
                queue.push(chain, 1);
                assertThat(driver.poll()).isNotNull();
            }
            assertThat(driver.poll()).isNull();
            // It continues normally, over a round and another restart.
            for (int i = 0; i < driver.size + 1; i++) {
                offer(2);
                queue.push(pop(), 1);
                assertThat(driver.poll()).isNotNull();
            }
            assertThat(restart().base()).isEqualTo(queue.base());
            return found;
        }
    }

    private static int u16(MemorySegment segment, long offset) {
        return (short) TestDriver.U16.get(segment, offset) & 0xffff;
    }

    @ParameterizedTest
    @Tag("VHU-INF-4")
    @MethodSource(ALL)
    void aPushThatWasCutShortHappenedWhollyOrNotAtAll(RingKind kind) {
        for (int size : new int[] {1, 2, 4}) {
            for (int before = 0; before <= 2 * size + 1; before++) {
                boolean cutShort = true;
                for (int stores = 0; cutShort; stores++) {
                    for (boolean driverReacts : new boolean[] {false, true}) {
                        cutShort = cutPushShort(kind, size, before, stores, driverReacts);
                    }
                }
            }
        }
    }

    /** Returns false when all stores were repeated. */
    private boolean cutPushShort(RingKind kind, int size, int before, int stores, boolean driverReacts) {
        String context = kind + ", size " + size + " after " + before + " chains, " + stores + " stores";
        Scene scene = new Scene(kind, size, before);
        scene.offer(2);
        scene.offer(2);
        DescriptorChain first = scene.pop();
        boolean two = scene.outstanding.size() == 2;
        // Out of order where that is allowed.
        DescriptorChain pushed = two && !kind.inOrder() ? scene.pop() : first;
        long address = pushed.guestAddress(0);
        Images images = Images.take(scene.shared);
        int usedBefore = kind.packed() ? u16(scene.region, 16) : u16(scene.driver.deviceArea, 2);
        scene.push(pushed);
        Images after = Images.take(scene.shared);
        List<Store> steps = kind.packed() ? packedPush(scene, usedBefore, pushed) : splitPush(scene, usedBefore);
        images.putBack();
        for (int i = 0; i < Math.min(stores, steps.size()); i++) {
            steps.get(i).copyFrom(after);
        }
        boolean visible = scene.driver.poll() != null;
        if (visible) {
            scene.outstanding.remove(address);
            if (driverReacts) {
                scene.offer(2);
            }
        }
        List<Long> expected = List.copyOf(scene.outstanding);
        assertThat(scene.finish()).as(context).isEqualTo(expected);
        assertThat(visible).as(context).isEqualTo(stores >= commit(kind));
        return stores < steps.size();
    }

    private static int commit(RingKind kind) {
        return kind.packed() ? 5 : 4;
    }

    private static List<Store> splitPush(Scene scene, int usedBefore) {
        MemorySegment region = scene.region;
        MemorySegment used = scene.driver.deviceArea;
        int entry = 4 + 8 * (usedBefore % scene.driver.size);
        int head = (int) TestDriver.U32.get(used, (long) entry);
        long state = 16 + 16L * head;
        return List.of(
                new Store(region, state + 6, 2),
                new Store(region, 12, 2),
                new Store(used, entry, 8),
                new Store(used, 2, 2),
                new Store(region, state, 1),
                new Store(region, 14, 2));
    }

    private static List<Store> packedPush(Scene scene, int usedBefore, DescriptorChain pushed) {
        MemorySegment region = scene.region;
        MemorySegment ring = scene.driver.descriptors;
        long first = 32 + 32L * pushed.inflightFirst;
        long last = 32 + 32L * pushed.inflightLast;
        long slot = 16L * usedBefore;
        return List.of(
                new Store(region, last + 2, 2),
                new Store(region, 12, 2),
                new Store(region, 16, 2, 20, 1),
                new Store(ring, slot + 8, 6),
                new Store(ring, slot + 14, 2),
                new Store(region, first, 1),
                new Store(region, 14, 2),
                new Store(region, 18, 2, 21, 1));
    }

    @ParameterizedTest
    @MethodSource(ALL)
    void aPopThatWasCutShortIsDoneAgain(RingKind kind) {
        for (int size : new int[] {1, 2, 4}) {
            for (int before = 0; before <= 2 * size + 1; before++) {
                boolean cutShort = true;
                for (int stores = 0; cutShort; stores++) {
                    cutShort = cutPopShort(kind, size, before, stores);
                }
            }
        }
    }

    private boolean cutPopShort(RingKind kind, int size, int before, int stores) {
        Scene scene = new Scene(kind, size, before);
        scene.offer(1);
        scene.pop();
        scene.offer(size);
        if (scene.outstanding.size() == 1) {
            scene.offer(1);
        }
        if (scene.outstanding.size() == 1) {
            return false;
        }
        Images images = Images.take(scene.shared);
        DescriptorChain chain = scene.pop();
        Images after = Images.take(scene.shared);
        List<Store> steps = kind.packed() ? packedPop(scene, chain) : splitPop(scene, images, after);
        images.putBack();
        for (int i = 0; i < Math.min(stores, steps.size()); i++) {
            steps.get(i).copyFrom(after);
        }
        List<Long> expected = List.copyOf(scene.outstanding);
        assertThat(scene.finish())
                .as("%s, size %d after %d chains, %d stores", kind, size, before, stores)
                .isEqualTo(expected);
        return stores < steps.size();
    }

    private static List<Store> splitPop(Scene scene, Images before, Images after) {
        int head = 0;
        while (before.of(scene.region).get(JAVA_BYTE, 16 + 16L * head)
                == after.of(scene.region).get(JAVA_BYTE, 16 + 16L * head)) {
            head++;
        }
        long state = 16 + 16L * head;
        return List.of(new Store(scene.region, state + 8, 8), new Store(scene.region, state, 1));
    }

    private static List<Store> packedPop(Scene scene, DescriptorChain chain) {
        MemorySegment region = scene.region;
        long first = 32 + 32L * chain.inflightFirst;
        List<Store> stores = new ArrayList<>();
        stores.add(new Store(region, first + 8, 8));
        stores.add(new Store(region, first, 1));
        stores.add(new Store(region, first + 4, 2));
        stores.add(new Store(region, first + 6, 2));
        for (int entry = chain.inflightFirst, i = 0; i < chain.slots; i++) {
            stores.add(new Store(region, 32 + 32L * entry + 24, 8));
            stores.add(new Store(region, 32 + 32L * entry + 16, 8));
            entry = u16(region, 32 + 32L * entry + 2);
        }
        stores.add(new Store(region, 12, 2));
        stores.add(new Store(region, 14, 2));
        return stores;
    }
}
