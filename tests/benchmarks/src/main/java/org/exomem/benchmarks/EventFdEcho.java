package org.exomem.benchmarks;

import java.io.IOException;
import java.util.List;
import org.HdrHistogram.Histogram;
import org.exomem.linux.Fd;

/** The plain ping-pong: another process waits in read for one eventfd, and then writes another. */
final class EventFdEcho implements AutoCloseable {
    private static final String TIE = "tie ";

    private final BareEventFd there = BareEventFd.blocking();
    private final BareEventFd back = BareEventFd.blocking();
    private final ChildJvm child;

    EventFdEcho() throws IOException {
        child = ChildJvm.start(EventFdEcho.class, List.of(there.fd(), back.fd()));
    }

    /** Pins the other process's thread to one processor. */
    void tie(int cpu) throws IOException {
        child.tell(TIE + cpu);
        child.answer();
    }

    /** Sends {@code times} round trips, and records the nanoseconds of each. */
    void pingPong(int times, Histogram histogram) throws IOException {
        child.tell(Integer.toString(times));
        for (int i = 0; i < times; i++) {
            long start = System.nanoTime();
            there.signal();
            back.await();
            histogram.recordValue(System.nanoTime() - start);
        }
        child.answer();
    }

    @Override
    public void close() {
        child.close();
        there.close();
        back.close();
    }

    public static void main(String[] arguments) throws IOException {
        List<Fd> descriptors = ChildJvm.descriptors(arguments);
        try (BareEventFd there = new BareEventFd(descriptors.get(0));
                BareEventFd back = new BareEventFd(descriptors.get(1))) {
            ChildJvm.serve(line -> {
                if (line.startsWith(TIE)) {
                    Affinity.tie(Integer.parseInt(line.substring(TIE.length())));
                } else {
                    echo(there, back, Integer.parseInt(line));
                }
                return "done";
            });
        }
    }

    private static void echo(BareEventFd there, BareEventFd back, int times) {
        for (int i = 0; i < times; i++) {
            there.await();
            back.signal();
        }
    }
}
