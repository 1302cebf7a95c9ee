package org.exomem.vhostuser.virtqueue;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.exomem.vhostuser.virtqueue.TestDriver.Piece;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * When the driver kicks and when it is called: VIRTIO, "Used Buffer Notification Suppression", "Available Buffer
 * Notification Suppression", "Driver and Device Event Suppression".
 */
class NotificationTest {
    private static final String ALL = "org.exomem.vhostuser.virtqueue.RingKind#all";
    private static final int SIZE = 8;

    private final GuestRam ram = GuestRam.of(1 << 20);
    private final List<Piece> piece = List.of(new Piece(ram.allocate(8, 8), 8, true));
    private final DescriptorChain chain = new DescriptorChain();

    @AfterEach
    void unmap() {
        ram.close();
    }

    private void use(TestDriver driver, Virtqueue queue) {
        assertThat(driver.add(piece)).isNotNegative();
        assertThat(queue.pop(chain)).isTrue();
        queue.push(chain, 0);
    }

    @ParameterizedTest
    @Tag("VQ-EVT-1")
    @MethodSource(ALL)
    void aDriverThatWantsCallsIsCalledOnceForEachBatch(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        assertThat(queue.needsCall()).as("nothing pushed").isFalse();
        for (int batch = 0; batch < 50; batch++) {
            assertThat(driver.enableCalls()).isFalse();
            use(driver, queue);
            use(driver, queue);
            use(driver, queue);
            assertThat(queue.needsCall()).as("batch %d", batch).isTrue();
            assertThat(queue.needsCall()).as("batch %d again", batch).isFalse();
            for (int i = 0; i < 3; i++) {
                assertThat(driver.poll()).isNotNull();
            }
        }
    }

    @ParameterizedTest
    @Tag("VQ-EVT-1")
    @MethodSource(ALL)
    void aDriverThatWantsSilenceIsNotCalled(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        for (int i = 0; i < 50; i++) {
            driver.disableCalls();
            use(driver, queue);
            assertThat(queue.needsCall()).as("buffer %d", i).isFalse();
            assertThat(driver.poll()).isNotNull();
        }
    }

    @ParameterizedTest
    @MethodSource(ALL)
    void aBufferUsedBeforeCallsWereEnabledIsSeenByTheDriverItself(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        driver.disableCalls();
        use(driver, queue);
        assertThat(queue.needsCall()).isFalse();
        assertThat(driver.enableCalls()).isTrue();
    }

    @ParameterizedTest
    @MethodSource(ALL)
    void aDeviceThatWorksIsNotKicked(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        assertThat(queue.resumeKicks()).isFalse();
        for (int i = 0; i < 50; i++) {
            driver.add(piece);
            assertThat(driver.mustKick()).as("idle device, buffer %d", i).isTrue();
            queue.suppressKicks();
            for (int more = 0; more < 3; more++) {
                driver.add(piece);
                assertThat(driver.mustKick()).as("busy device, buffer %d", i).isFalse();
            }
            while (queue.pop(chain)) {
                queue.push(chain, 0);
                assertThat(driver.poll()).isNotNull();
            }
            assertThat(queue.resumeKicks()).isFalse();
        }
    }

    @ParameterizedTest
    @MethodSource(ALL)
    void whatCameWhileKicksWereSuppressedIsReportedWhenTheyResume(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        queue.suppressKicks();
        driver.add(piece);
        assertThat(queue.resumeKicks()).isTrue();
    }

    @Test
    @Tag("VQ-EVT-2")
    void aSplitDriverNamesTheUsedIndexAtWhichItWantsTheCall() {
        SplitDriver driver = new SplitDriver(ram, RingKind.SPLIT.withEventIndex(), SIZE, 1);
        driver.startAt(65530);
        Virtqueue queue = Virtqueue.create(driver.setup());
        assertThat(queue.needsCall())
                .as("a ring that was in use is called once at its start")
                .isTrue();
        driver.setUsedEvent(65534 + 4);
        for (int index = 65530; index < 65550; index++) {
            use(driver, queue);
            assertThat(queue.needsCall()).as("entry %d", index).isEqualTo(index == 65538);
            assertThat(driver.poll()).isNotNull();
        }
    }

    @Test
    @Tag("VQ-PCK-9")
    void aPackedDriverNamesTheSlotAtWhichItWantsTheCallInThisLapOrTheNext() {
        PackedDriver driver = new PackedDriver(ram, RingKind.PACKED.withEventIndex(), SIZE, 1);
        Virtqueue queue = Virtqueue.create(driver.setup());
        for (int lap = 0; lap < 4; lap++) {
            for (int ahead = 0; ahead < SIZE; ahead++) {
                long wanted = driver.seen() + ahead;
                driver.setCallAt(wanted);
                for (int i = 0; i < SIZE + 1; i++) {
                    long slot = driver.seen();
                    use(driver, queue);
                    assertThat(queue.needsCall())
                            .as("slot %d, wanted %d", slot, wanted)
                            .isEqualTo(slot == wanted);
                    assertThat(driver.poll()).isNotNull();
                }
            }
        }
    }

    @Test
    @Tag("VQ-PCK-9")
    void aChainThatPassesTheNamedSlotCallsThePackedDriver() {
        PackedDriver driver = new PackedDriver(ram, RingKind.PACKED.withEventIndex(), 5, 1);
        Virtqueue queue = Virtqueue.create(driver.setup());
        Piece one = piece.getFirst();
        for (int i = 0; i < 20; i++) {
            driver.setCallAt(driver.seen() + 2);
            assertThat(driver.add(List.of(one, one, one))).isNotNegative();
            assertThat(queue.pop(chain)).isTrue();
            queue.push(chain, 0);
            assertThat(queue.needsCall()).as("chain %d", i).isTrue();
            assertThat(driver.poll()).isNotNull();
        }
    }

    @Test
    void aSplitDeviceWithEventIndexLeavesItsFlagsZero() {
        SplitDriver driver = new SplitDriver(ram, RingKind.SPLIT.withEventIndex(), SIZE, 1);
        Virtqueue queue = Virtqueue.create(driver.setup());
        queue.suppressKicks();
        assertThat(driver.deviceFlags()).isZero();
        queue.resumeKicks();
        assertThat(driver.deviceFlags()).isZero();
    }

    @Test
    @Tag("VQ-EVT-1")
    void withoutEventIndexASplitDriversEventFieldIsIgnored() {
        SplitDriver driver = new SplitDriver(ram, RingKind.SPLIT, SIZE, 1);
        Virtqueue queue = Virtqueue.create(driver.setup());
        driver.setUsedEvent(1000);
        use(driver, queue);
        assertThat(queue.needsCall()).isTrue();
    }

    @Test
    @Tag("VQ-PCK-9")
    void withoutEventIndexAPackedDriverThatNamesASlotIsCalledAllTheSame() {
        PackedDriver driver = new PackedDriver(ram, RingKind.PACKED, SIZE, 1);
        Virtqueue queue = Virtqueue.create(driver.setup());
        driver.setCallAt(7);
        use(driver, queue);
        assertThat(queue.needsCall()).isTrue();
    }
}
