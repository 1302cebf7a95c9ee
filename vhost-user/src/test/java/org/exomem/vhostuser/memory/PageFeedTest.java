package org.exomem.vhostuser.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.exomem.vhostuser.memory.PageFeed.Kind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class PageFeedTest {
    private final PageFeed feed = new PageFeed(4);
    private final List<String> received = new ArrayList<>();

    private void drain() {
        feed.drain(
                (kind, session, address, length) -> received.add(kind + " " + session + " " + address + "+" + length),
                100);
    }

    @Test
    void nothingIsKeptWhileNobodyListens() {
        feed.offer(Kind.HINTED, 1, 4096, 4096);
        feed.open();
        drain();
        assertThat(received).isEmpty();
        assertThat(feed.hintsDropped()).isZero();
    }

    @Test
    void messagesComeInOrderWithAllTheyCarry() {
        feed.open();
        feed.offer(Kind.HINTING_STARTED, 0x80000001, 0, 0);
        feed.offer(Kind.HINTED, 0x80000001, 1L << 40, 1L << 30);
        drain();
        assertThat(received)
                .containsExactly(
                        "HINTING_STARTED " + 0x80000001 + " 0+0",
                        "HINTED " + 0x80000001 + " " + (1L << 40) + "+" + (1L << 30));
    }

    @Test
    void aFullFeedDropsAndTellsLossesThatMatterFromThoseThatDoNot() {
        feed.open();
        for (int i = 0; i < 4; i++) {
            feed.offer(Kind.INFLATED, 0, i, 1);
        }
        feed.offer(Kind.HINTED, 1, 9, 1);
        assertThat(feed.hintsDropped()).isEqualTo(1);
        assertThat(feed.losses()).isZero();
        feed.offer(Kind.DEFLATED, 0, 2, 1);
        assertThat(feed.losses()).isEqualTo(1);
        drain();
        assertThat(received).hasSize(4);
        feed.offer(Kind.REPORTED, 0, 5, 1);
        drain();
        assertThat(received).last().isEqualTo("REPORTED 0 5+1");
    }

    @Test
    @Timeout(60)
    void aListenerOnAnotherThreadSeesEveryMessageOnce() throws Exception {
        PageFeed shared = new PageFeed(64);
        shared.open();
        long messages = 1_000_000;
        AtomicLong next = new AtomicLong();
        AtomicLong wrong = new AtomicLong();
        Thread listener = new Thread(() -> {
            while (next.get() < messages) {
                shared.drain(
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
            long dropped = shared.hintsDropped();
            shared.offer(Kind.HINTED, (int) i, i, ~i);
            if (shared.hintsDropped() == dropped) {
                i++;
            }
        }
        listener.join();
        assertThat(wrong).hasValue(0);
    }
}
