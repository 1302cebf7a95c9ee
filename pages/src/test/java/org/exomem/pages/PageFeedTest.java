package org.exomem.pages;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.EnumSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.exomem.pages.PageFeed.Kind;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PageFeedTest {
    private static final Set<Kind> ALL = EnumSet.allOf(Kind.class);

    private final PageFeed feed = new PageFeed();
    private final List<String> received = new ArrayList<>();

    private void drain(PageSubscription subscription) {
        subscription.drain(
                (kind, session, address, length) -> received.add(kind + " " + session + " " + address + "+" + length));
    }

    private static StateReplay state(Kind kind, long address, long length) {
        return listener -> {
            listener.pages(kind, 0, address, length);
            return false;
        };
    }

    @ParameterizedTest
    @ValueSource(
            longs = {1, 0b1010_0110, -1, Long.MIN_VALUE, 1L << 62 | 1, 0x7fff_ffff_ffff_ffffL, 0xffff_0000_0000_00ffL})
    void singlePagesAmong64NeighboursComeAsTheirRuns(long mask) {
        PageSubscription subscription = feed.subscribe(EnumSet.allOf(Kind.class), 2);
        feed.offerHinted(7, 128, mask);
        BitSet heard = new BitSet();
        long[] before = {-1};
        assertThat(subscription.drain((kind, session, address, length) -> {
                    assertThat(kind).isEqualTo(Kind.HINTED);
                    assertThat(session).isEqualTo(7);
                    assertThat(address / 4096 - 128).as("runs are not cut").isGreaterThan(before[0]);
                    before[0] = (address + length) / 4096 - 128;
                    heard.set((int) (address / 4096 - 128), (int) (address + length) / 4096 - 128);
                }))
                .as("one message")
                .isEqualTo(1);
        assertThat(heard).isEqualTo(BitSet.valueOf(new long[] {mask}));
    }

    @Test
    void nothingIsKeptWhileNobodyListens() {
        feed.offer(Kind.HINTED, 1, 4096, 4096);
        PageSubscription subscription = feed.subscribe(ALL, 4);
        drain(subscription);
        assertThat(received).isEmpty();
        assertThat(subscription.hintsDropped()).isZero();
    }

    @Test
    void eachListenerGetsItsKindsAtItsOwnPaceUntilItCloses() {
        PageSubscription slow = feed.subscribe(ALL, 1);
        PageSubscription balloons = feed.subscribe(Set.of(Kind.INFLATED), 4);
        feed.offer(Kind.INFLATED, 0, 1, 1);
        feed.offer(Kind.HINTED, 7, 2, 1);
        feed.offer(Kind.INFLATED, 0, 3, 1);
        drain(balloons);
        assertThat(received).containsExactly("INFLATED 0 1+1", "INFLATED 0 3+1");
        assertThat(slow.hintsDropped()).isEqualTo(2);
        assertThat(balloons.hintsDropped()).isZero();
        balloons.close();
        feed.offer(Kind.INFLATED, 0, 4, 1);
        PageSubscription late = feed.subscribe(ALL, 4);
        feed.offer(Kind.INFLATED, 0, 5, 1);
        received.clear();
        drain(balloons);
        drain(slow);
        drain(late);
        assertThat(received).containsExactly("INFLATED 0 1+1", "INFLATED 0 5+1");
    }

    @Test
    @Tag("MIG-STATE-4")
    void newListenerIsToldTheStateOfDevices() {
        feed.add(() -> state(Kind.INFLATED, 4096, 8192));
        feed.add(() -> state(Kind.UNPLUGGED, 1 << 30, 1 << 20));
        PageSubscription first = feed.subscribe(Set.of(Kind.UNPLUGGED, Kind.PLUGGED), 4);
        PageSubscription second = feed.subscribe(ALL, 4);
        feed.offer(Kind.PLUGGED, 0, 1 << 30, 4096);
        drain(first);
        assertThat(received).containsExactly("UNPLUGGED 0 1073741824+1048576", "PLUGGED 0 1073741824+4096");
        received.clear();
        drain(second);
        assertThat(received)
                .containsExactly("INFLATED 0 4096+8192", "UNPLUGGED 0 1073741824+1048576", "PLUGGED 0 1073741824+4096");
    }

    @Test
    @Tag("MIG-STATE-4")
    void largeStateIsToldInSlicesWithChangesInBetween() {
        Queue<Runnable> loop = new ArrayDeque<>();
        PageFeed sliced = new PageFeed(loop::add);
        BitSet balloon = new BitSet();
        balloon.set(0, 10);
        sliced.add(() -> new StateReplay() {
            private int from;

            @Override
            public boolean next(PageFeed.Listener listener) {
                for (int end = from + 4; from < end; from++) {
                    if (balloon.get(from)) {
                        listener.pages(Kind.INFLATED, 0, from, 1);
                    }
                }
                return from < balloon.length();
            }
        });
        PageSubscription subscription = sliced.subscribe(ALL, 64);
        BitSet known = new BitSet();
        PageFeed.Listener listener = (kind, session, address, length) ->
                known.set((int) address, (int) (address + length), kind == Kind.INFLATED);
        subscription.drain(listener);
        assertThat(known).as("after the first slice").hasToString("{0, 1, 2, 3}");
        balloon.clear(2, 9);
        sliced.offer(Kind.DEFLATED, 0, 2, 7);
        balloon.set(6);
        sliced.offer(Kind.INFLATED, 0, 6, 1);
        while (!loop.isEmpty()) {
            loop.remove().run();
        }
        subscription.drain(listener);
        assertThat(known).isEqualTo(balloon);
    }

    @Test
    void replayEndsWhenItsListenerCloses() {
        Queue<Runnable> loop = new ArrayDeque<>();
        PageFeed sliced = new PageFeed(loop::add);
        sliced.add(() -> listener -> true);
        PageSubscription subscription = sliced.subscribe(ALL, 4);
        loop.remove().run();
        assertThat(loop).hasSize(1);
        subscription.close();
        loop.remove().run();
        assertThat(loop).isEmpty();
    }

    @Test
    void replayEndsWhenItsDeviceIsForgotten() {
        Queue<Runnable> loop = new ArrayDeque<>();
        PageFeed sliced = new PageFeed(loop::add);
        AtomicLong slices = new AtomicLong();
        sliced.add(() -> listener -> slices.incrementAndGet() > 0);
        sliced.subscribe(ALL, 4);
        loop.remove().run();
        assertThat(slices).hasValue(2);
        sliced.forget(sliced.states());
        loop.remove().run();
        assertThat(slices).hasValue(2);
        assertThat(loop).isEmpty();
    }

    @Test
    void droppedStateIsNoLossThatMatters() {
        feed.add(() -> state(Kind.PLUGGED, 0, 1));
        feed.add(() -> state(Kind.PLUGGED, 1, 1));
        PageSubscription subscription = feed.subscribe(ALL, 1);
        assertThat(subscription.losses()).isZero();
        assertThat(subscription.hintsDropped()).isEqualTo(1);
    }

    @Test
    void stateThatIsKnownOnlyNowIsToldToAllWhoListen() {
        PageSubscription subscription = feed.subscribe(ALL, 4);
        feed.replay(() -> state(Kind.UNPLUGGED, 4096, 4096));
        drain(subscription);
        assertThat(received).containsExactly("UNPLUGGED 0 4096+4096");
    }

    @Test
    void messagesArriveInOrderAndComplete() {
        PageSubscription subscription = feed.subscribe(ALL, 4);
        feed.offer(Kind.HINTING_STARTED, 0x80000001, 0, 0);
        feed.offer(Kind.HINTED, 0x80000001, 1L << 40, 1L << 30);
        drain(subscription);
        assertThat(received)
                .containsExactly(
                        "HINTING_STARTED " + 0x80000001 + " 0+0",
                        "HINTED " + 0x80000001 + " " + (1L << 40) + "+" + (1L << 30));
    }

    @Test
    void fullQueueDropsMessagesAndCountsLossesThatMatterApart() {
        PageSubscription subscription = feed.subscribe(ALL, 4);
        for (int i = 0; i < 4; i++) {
            feed.offer(Kind.INFLATED, 0, i, 1);
        }
        feed.offer(Kind.HINTED, 1, 9, 1);
        assertThat(subscription.hintsDropped()).isEqualTo(1);
        assertThat(subscription.losses()).isZero();
        feed.offer(Kind.DEFLATED, 0, 2, 1);
        assertThat(subscription.losses()).isEqualTo(1);
        drain(subscription);
        assertThat(received).hasSize(4);
        feed.offer(Kind.REPORTED, 0, 5, 1);
        drain(subscription);
        assertThat(received).last().isEqualTo("REPORTED 0 5+1");
    }

    @Test
    @Timeout(180)
    void listenerOnAnotherThreadSeesEveryMessageOnce() throws Exception {
        PageFeed shared = new PageFeed();
        PageSubscription subscription = shared.subscribe(ALL, 64);
        long messages = 1_000_000;
        AtomicLong next = new AtomicLong();
        AtomicLong wrong = new AtomicLong();
        Thread listener = new Thread(() -> {
            while (next.get() < messages) {
                subscription.drain(
                        (kind, session, address, length) -> {
                            if (address != next.get() || length != ~address || session != (int) address) {
                                wrong.incrementAndGet();
                            }
                            next.incrementAndGet();
                        },
                        16);
            }
        });
        listener.start();
        for (long i = 0; i < messages; ) {
            long dropped = subscription.hintsDropped();
            shared.offer(Kind.HINTED, (int) i, i, ~i);
            if (subscription.hintsDropped() == dropped) {
                i++;
            }
        }
        listener.join();
        assertThat(wrong).hasValue(0);
    }
}
