package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.exomem.balloon.TestQueue.littleEndian;
import static org.exomem.balloon.TestQueue.writable;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.exomem.balloon.TestGuest.News;
import org.exomem.linux.LinuxException;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.StoredNumber;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class HintingTest {
    private static final int FREE_PAGES = 3;
    private static final long START = 1L << 32;
    private static final int MIB = 1 << 20;
    private static final int ID = 0x8000_0000;
    private static final int STOP = 0;
    private static final int DONE = 1;

    private TestGuest guest;
    private TestQueue queue;
    private MemoryRegion region;

    @BeforeEach
    void start() throws LinuxException {
        guest = TestGuest.started();
        queue = guest.queues[FREE_PAGES];
        region = guest.ram.filled(START, 8 * MIB);
        guest.news();
    }

    @AfterEach
    void close() {
        guest.close();
    }

    private int config() {
        MemorySegment config = MemorySegment.ofArray(new byte[16]);
        guest.balloon.readConfig(config);
        return config.get(ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 8);
    }

    private void send(int id) {
        queue.add(queue.readable(littleEndian(id)));
        guest.process(FREE_PAGES);
    }

    private void hint(long address, long length) {
        queue.add(writable(address, length));
        guest.process(FREE_PAGES);
    }

    private HintingState state() {
        return guest.balloon.freePages().state();
    }

    private long hinted() {
        return guest.balloon.freePages().hintedBytes();
    }

    @Test
    @Tag("BAL-HINT-10")
    @Tag("BAL-HINT-8")
    void aRangeThatIsNotSharedIsLeftAloneAndTheRestOfTheChainIsTaken() {
        guest.balloon.startHinting();
        send(ID);
        queue.add(writable(1L << 40 << 2, MIB), writable(START, MIB), writable(START + 7 * MIB, 2 * MIB));
        guest.process(FREE_PAGES);
        hint(START + 2 * MIB, MIB);

        assertThat(hinted()).isEqualTo(2 * MIB);
        assertThat(queue.used()).hasSize(3);
        assertThat(queue.usedLengths()).as("nothing was written").containsOnly(0);
        assertThat(guest.balloon.freePages().ignoredPages()).isEqualTo(3 * MIB / 4096);
        assertThat(guest.driverFaults).singleElement().asString().contains("768 pages that the VMM does not share");
    }

    @Test
    @Tag("BAL-HINT-2")
    void aSessionGoesFromTheRequestToDone() {
        assertThat(state()).isEqualTo(HintingState.IDLE);
        assertThat(config()).isEqualTo(STOP);

        guest.balloon.startHinting();
        assertThat(state()).isEqualTo(HintingState.REQUESTED);
        assertThat(config()).isEqualTo(ID);
        assertThat(guest.configChanges).isEqualTo(1);

        send(ID);
        assertThat(state()).isEqualTo(HintingState.RUNNING);
        assertThat(config()).isEqualTo(ID);
        assertThat(guest.configChanges).isEqualTo(1);
        hint(START, 4 * MIB);
        hint(START + 4 * MIB, 2 * MIB);
        assertThat(hinted()).isEqualTo(6 * MIB);

        send(STOP);
        assertThat(state()).isEqualTo(HintingState.STOPPED);
        assertThat(config()).isEqualTo(STOP);
        assertThat(guest.configChanges).isEqualTo(2);

        guest.balloon.finishHinting();
        assertThat(state()).isEqualTo(HintingState.DONE);
        assertThat(config()).isEqualTo(DONE);
        assertThat(guest.configChanges).isEqualTo(3);
        assertThat(guest.balloon.freePages().commandId()).isEqualTo(ID);
        assertThat(hinted()).as("of the last session").isEqualTo(6 * MIB);

        assertThat(queue.used()).hasSize(4);
        assertThat(guest.hintingStates)
                .containsExactly(HintingState.REQUESTED, HintingState.RUNNING, HintingState.STOPPED, HintingState.DONE);
        assertThat(guest.news())
                .containsExactly(
                        new News(Kind.HINTING_STARTED, ID, 0, 0),
                        new News(Kind.HINTED, ID, START, 4 * MIB),
                        new News(Kind.HINTED, ID, START + 4 * MIB, 2 * MIB),
                        new News(Kind.HINTING_ENDED, ID, 0, 0));
    }

    @Test
    @Tag("BAL-HINT-5")
    @Tag("BAL-HINT-7")
    void nothingIsDiscardedForAHint() throws LinuxException {
        guest.balloon.startHinting();
        send(ID);
        hint(START, 8 * MIB);

        assertThat(guest.punched).isEmpty();
        assertThat(region.file().allocatedBytes()).isEqualTo(8 * MIB);
        assertThat(guest.balloon.pagesInBalloon()).isZero();
    }

    @Test
    void theIdAndManyRangesMayComeInOneChain() {
        guest.balloon.startHinting();
        queue.add(queue.readable(littleEndian(ID)), writable(START, MIB), writable(START + 2 * MIB, MIB));
        guest.process(FREE_PAGES);

        assertThat(hinted()).isEqualTo(2 * MIB);
    }

    @Test
    void theIdMayBeCutByTheBorderOfTwoBuffers() {
        guest.balloon.startHinting();
        byte[] id = littleEndian(ID);
        queue.add(queue.readable(new byte[] {id[0]}), queue.readable(new byte[] {id[1], id[2], id[3]}));
        guest.process(FREE_PAGES);

        assertThat(state()).isEqualTo(HintingState.RUNNING);
    }

    @Test
    void aPageHintedTwiceCountsOnce() {
        guest.balloon.startHinting();
        send(ID);
        hint(START, 4 * MIB);
        hint(START + 2 * MIB, 4 * MIB);

        assertThat(hinted()).isEqualTo(6 * MIB);
    }

    @Test
    void onlyWholePagesCount() {
        guest.balloon.startHinting();
        send(ID);
        hint(START + 1, 2 * 4096);
        hint(START + 3 * 4096, 4095);

        assertThat(hinted()).isEqualTo(4096);
        assertThat(guest.news())
                .contains(new News(Kind.HINTED, ID, START + 4096, 4096))
                .hasSize(2);
    }

    @Test
    void hintsNobodyAskedForAreIgnored() {
        hint(START, MIB);
        send(ID);
        hint(START, MIB);

        assertThat(hinted()).isZero();
        assertThat(state()).isEqualTo(HintingState.IDLE);
        assertThat(guest.news()).isEmpty();
        assertThat(queue.used()).hasSize(3);
    }

    @Test
    void hintsBeforeTheIdAreIgnored() {
        guest.balloon.startHinting();
        hint(START, MIB);

        assertThat(hinted()).isZero();
        assertThat(state()).isEqualTo(HintingState.REQUESTED);
    }

    @Test
    @Tag("BAL-HINT-3")
    void hintsUnderAnotherIdAreIgnoredUntilTheRightOneComesAgain() {
        guest.balloon.startHinting();
        send(ID + 1);
        hint(START, MIB);
        assertThat(state()).isEqualTo(HintingState.REQUESTED);

        send(ID);
        hint(START, MIB);
        send(ID - 1);
        hint(START + MIB, MIB);
        assertThat(hinted()).isEqualTo(MIB);

        send(ID);
        hint(START + 2 * MIB, MIB);
        assertThat(hinted()).isEqualTo(2 * MIB);
        assertThat(state()).isEqualTo(HintingState.RUNNING);
    }

    @Test
    @Tag("BAL-HINT-4")
    void aRestartMakesTheOldIdStale() {
        guest.balloon.startHinting();
        send(ID);
        hint(START, MIB);
        guest.balloon.startHinting();
        assertThat(config()).isEqualTo(ID + 1);
        assertThat(state()).isEqualTo(HintingState.REQUESTED);
        assertThat(hinted()).isZero();

        hint(START + MIB, MIB);
        send(STOP);
        assertThat(state()).as("a STOP that belongs to the old session").isEqualTo(HintingState.REQUESTED);
        send(ID + 1);
        hint(START + 2 * MIB, MIB);

        assertThat(hinted()).isEqualTo(MIB);
        assertThat(guest.news())
                .containsExactly(
                        new News(Kind.HINTING_STARTED, ID, 0, 0),
                        new News(Kind.HINTED, ID, START, MIB),
                        new News(Kind.HINTING_ENDED, ID, 0, 0),
                        new News(Kind.HINTING_STARTED, ID + 1, 0, 0),
                        new News(Kind.HINTED, ID + 1, START + 2 * MIB, MIB));
    }

    @Test
    @Tag("BAL-HINT-6")
    void afterStopHintsAreIgnoredAndANewStartTakesThemAgain() {
        guest.balloon.startHinting();
        send(ID);
        guest.balloon.stopHinting();
        assertThat(config()).isEqualTo(STOP);
        assertThat(guest.configChanges).isEqualTo(2);
        hint(START, MIB);
        send(STOP);
        assertThat(hinted()).isZero();

        guest.balloon.startHinting();
        send(ID + 1);
        hint(START, MIB);

        assertThat(hinted()).isEqualTo(MIB);
    }

    @Test
    @Tag("BAL-HINT-6")
    void doneEndsASessionThatRuns() {
        guest.balloon.startHinting();
        send(ID);
        guest.balloon.finishHinting();
        hint(START, MIB);

        assertThat(hinted()).isZero();
        assertThat(guest.news())
                .containsExactly(new News(Kind.HINTING_STARTED, ID, 0, 0), new News(Kind.HINTING_ENDED, ID, 0, 0));
    }

    @Test
    void stopAndDoneWithoutASessionChangeNothing() {
        guest.balloon.stopHinting();
        guest.balloon.finishHinting();

        assertThat(state()).isEqualTo(HintingState.IDLE);
        assertThat(guest.configChanges).isZero();
        assertThat(guest.hintingStates).isEmpty();
    }

    @Test
    @Tag("BAL-HINT-1")
    void idsBeginAgainAfterTheLastOneAndAreNeverAReservedValue() {
        StoredNumber lastId = StoredNumber.ofHeap();
        lastId.set(-2);
        Hinting hinting = new Hinting(
                guest.feed, state -> {}, lastId, new LeftAlone(System::nanoTime, what -> {}), new StepBudget());
        hinting.start();
        assertThat(hinting.configValue()).isEqualTo(-1);
        hinting.start();
        assertThat(hinting.configValue()).isEqualTo(ID);
        hinting.start();
        assertThat(hinting.configValue()).isEqualTo(ID + 1);
    }

    @Test
    void aCommandIdOfAnotherLengthIsTheDriversFault() {
        queue.add(queue.readable(new byte[8]));

        assertThatThrownBy(() -> guest.process(FREE_PAGES))
                .isInstanceOf(DriverFault.class)
                .hasMessageContaining("8 bytes");
    }

    @Test
    void aSessionEndsWhenItsQueueStopsAndADriverThatGoesOnIsToldToTakeItsPagesBack() {
        guest.balloon.startHinting();
        send(ID);
        int base = guest.stop(FREE_PAGES, true);
        assertThat(state()).isEqualTo(HintingState.DONE);
        int changes = guest.configChanges;

        guest.start(FREE_PAGES, base);
        hint(START, MIB);

        assertThat(guest.configChanges).isEqualTo(changes + 1);
        assertThat(config()).isEqualTo(DONE);
        assertThat(hinted()).isZero();
        assertThat(guest.news()).contains(new News(Kind.HINTING_ENDED, ID, 0, 0));
    }

    @Test
    void aNewDriverFindsNoSession() {
        guest.balloon.startHinting();
        send(ID);
        guest.reboot(TestGuest.ALL_FEATURES);

        assertThat(state()).isEqualTo(HintingState.IDLE);
        assertThat(config()).isEqualTo(STOP);
        guest.balloon.startHinting();
        assertThat(config()).isEqualTo(ID + 1);
    }

    @Test
    void aLostConnectionEndsTheSession() {
        guest.balloon.startHinting();
        send(ID);
        guest.stop(false);
        guest.balloon.disconnected();

        assertThat(guest.news()).contains(new News(Kind.HINTING_ENDED, ID, 0, 0));
        assertThatThrownBy(guest.balloon::startHinting)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("no VMM");
    }

    @Test
    void withoutTheQueueTheReasonIsSaid() {
        guest.stop(FREE_PAGES, true);
        assertThatThrownBy(guest.balloon::startHinting)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("free page queue");
    }
}
