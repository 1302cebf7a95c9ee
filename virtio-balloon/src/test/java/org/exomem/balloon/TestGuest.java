package org.exomem.balloon;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageSubscription;
import org.exomem.pages.PromisedMemory;
import org.exomem.vhostuser.backend.DeviceLink;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * A balloon with an environment that is not under test: memory, rings, the link to a front-end, timers, and a record of
 * the balloon's calls to each of them.
 */
final class TestGuest implements AutoCloseable, DeviceLink, BalloonListener {
    /** False while the statistics queue is disabled. */
    boolean mayPush = true;

    static final int INFLATE = 0;
    static final int DEFLATE = 1;
    static final long ALL_FEATURES = 0x3f;
    static final BalloonOptions ALL =
            new BalloonOptions(true, true, true, true, true, true, FreePageRequests.BITMAP, true);

    /** A call of fallocate, and the number of chains that the queues had returned before it. */
    record Punched(SharedFile file, long offset, long length, int usedBefore) {}

    /** A message of the feed. */
    record News(PageFeed.Kind kind, int session, long address, long length) {}

    /** A timer that the balloon set. */
    static final class TestTimer implements EventLoop.Timer {
        final Duration delay;
        final Runnable task;
        boolean cancelled;

        TestTimer(Duration delay, Runnable task) {
            this.delay = delay;
            this.task = task;
        }

        @Override
        public void cancel() {
            cancelled = true;
        }
    }

    final TestRam ram = new TestRam();
    final PageFeed feed = new PageFeed();
    final PageSubscription heard = feed.subscribe(EnumSet.allOf(PageFeed.Kind.class), 1 << 16);
    final PromisedMemory promised = new PromisedMemory();
    final VirtioBalloon balloon;
    final TestQueue[] queues = new TestQueue[6];
    final @Nullable Virtqueue[] running = new Virtqueue[6];
    final Deque<TestTimer> timers = new ArrayDeque<>();
    final List<Punched> punched = new ArrayList<>();
    final List<String> hostFaults = new ArrayList<>();
    final List<String> driverFaults = new ArrayList<>();
    /** Slices of work that wait for the event loop. */
    final Deque<Runnable> later = new ArrayDeque<>();
    /** The balloon wants its present queue to be processed once more. */
    boolean again;
    /** The number of event loop steps that the processing took. */
    int steps;

    final List<Long> actuals = new ArrayList<>();
    final List<HintingState> hintingStates = new ArrayList<>();
    final List<Integer> called = new ArrayList<>();
    int configChanges;
    int statisticsUpdates;
    /** The failure of fallocate instead of its work, or null. */
    @Nullable
    LinuxException punchFailure;

    TestGuest() throws LinuxException {
        this(ALL);
    }

    TestGuest(BalloonOptions options) throws LinuxException {
        balloon = new VirtioBalloon(options, KeptBalloon.ofHeap(), this, feed, promised, this::schedule, this::punch);
        for (int i = 0; i < queues.length; i++) {
            queues[i] = new TestQueue(ram, i);
        }
        balloon.connected(this);
    }

    /** A guest whose driver has acknowledged everything and runs all queues. */
    static TestGuest started() throws LinuxException {
        TestGuest guest = new TestGuest();
        guest.start(ALL_FEATURES, 5);
        return guest;
    }

    void start(long features, int count) {
        balloon.featuresAcknowledged(features);
        for (int i = 0; i < count; i++) {
            start(i, 0);
        }
    }

    void start(int index, int base) {
        Virtqueue queue = queues[index].device(base);
        running[index] = queue;
        balloon.queueStarted(queue);
        balloon.process(queue);
    }

    int stop(int index, boolean completing) {
        Virtqueue queue = Objects.requireNonNull(running[index]);
        balloon.queueStopped(queue, completing);
        running[index] = null;
        return queue.base();
    }

    /** Stops all queues, and returns their positions. */
    int[] stop(boolean completing) {
        int[] bases = new int[queues.length];
        for (int i = 0; i < queues.length; i++) {
            if (running[i] != null) {
                bases[i] = stop(i, completing);
            }
        }
        return bases;
    }

    /** Starts all five queues at these positions. */
    void goOn(int[] bases) {
        for (int i = 0; i < QueueRole.count(ALL_FEATURES); i++) {
            start(i, bases[i]);
        }
    }

    /** The guest reboots: queues stop, and a new driver starts them from the beginning. */
    void reboot(long features) {
        stop(true);
        balloon.featuresAcknowledged(features);
        for (int i = 0; i < QueueRole.count(features); i++) {
            queues[i].driverStartsAnew();
            start(i, 0);
        }
    }

    /** Processes a queue as the session does: until nothing is left to do. */
    void process(int index) {
        while (processOnce(index)) {}
    }

    /** One step of the event loop; returns true if the balloon wants another one. */
    boolean processOnce(int index) {
        Virtqueue queue = Objects.requireNonNull(running[index]);
        again = false;
        steps++;
        balloon.process(queue);
        return again || queue.hasAvailable();
    }

    void inflate(int... pfns) {
        queues[INFLATE].addPfns(pfns);
        process(INFLATE);
    }

    void deflate(int... pfns) {
        queues[DEFLATE].addPfns(pfns);
        process(DEFLATE);
    }

    List<News> news() {
        List<News> news = new ArrayList<>();
        heard.drain((kind, session, address, length) -> news.add(new News(kind, session, address, length)));
        return news;
    }

    static int[] range(int first, int count) {
        int[] pfns = new int[count];
        for (int i = 0; i < count; i++) {
            pfns[i] = first + i;
        }
        return pfns;
    }

    private EventLoop.Timer schedule(Duration delay, Runnable task) {
        TestTimer timer = new TestTimer(delay, task);
        timers.add(timer);
        return timer;
    }

    private void punch(SharedFile file, long offset, long length) throws LinuxException {
        int used = 0;
        for (TestQueue queue : queues) {
            used += queue.used().size();
        }
        punched.add(new Punched(file, offset, length, used));
        if (punchFailure != null) {
            throw punchFailure;
        }
        file.punchHole(offset, length);
    }

    @Override
    public GuestMemory memory() {
        return ram.memory();
    }

    @Override
    public void configChanged() {
        configChanges++;
    }

    @Override
    public boolean mayPush(Virtqueue queue) {
        return mayPush;
    }

    @Override
    public void callIfWanted(Virtqueue queue) {
        called.add(queue.index());
    }

    @Override
    public void processAgain(Virtqueue queue) {
        again = true;
    }

    @Override
    public void later(Runnable task) {
        later.add(task);
    }

    @Override
    public void driverFault(String what) {
        driverFaults.add(what);
    }

    @Override
    public void hostFault(String what) {
        hostFaults.add(what);
    }

    @Override
    public void actualChanged(long actual) {
        actuals.add(actual);
    }

    @Override
    public void statisticsUpdated() {
        statisticsUpdates++;
    }

    @Override
    public void hintingChanged(HintingState state) {
        hintingStates.add(state);
    }

    @Override
    public void close() {
        ram.close();
    }
}
