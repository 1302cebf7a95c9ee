package org.exomem.conform.strict.observers;

import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.exomem.conform.strict.memory.GuestMemory;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.observe.Observer;
import org.exomem.conform.strict.observe.Tally;
import org.exomem.conform.strict.ring.Chain;
import org.exomem.conform.strict.ring.Descriptor;
import org.exomem.conform.strict.ring.Ring;
import org.exomem.conform.strict.scene.BalloonState;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.PageNumbers;
import org.exomem.conform.strict.scene.Role;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.guest.BalloonFeatures;

/** Pages that are put into a balloon and taken out of it. */
final class BalloonObservers {
    /** The longest time for a driver to begin what the device wants. */
    private static final Duration TO_BEGIN = Duration.ofSeconds(10);
    /** Requests that come within this time after a change of num_pages may have begun before the change. */
    private static final Duration TO_NOTICE = Duration.ofSeconds(2);

    private static final Duration TO_TELL = Duration.ofSeconds(5);

    static final List<Observation> ALL = Stream.of(
                    Observation.of(
                            "balloon.pages.1",
                            "The driver inflates the balloon while num_pages is greater than the number of pages in it",
                            Gives::new),
                    Observation.looking(
                            "balloon.pages.4",
                            "Without DEFLATE_ON_OOM, no pages are taken out unless num_pages is less than the number in"
                                    + " the balloon",
                            (event, scene, tally) -> {
                                if (!scene.has(BalloonFeatures.DEFLATE_ON_OOM)
                                        && event instanceof Event.Available(Ring ring, Chain chain)
                                        && scene.role(ring) == Role.DEFLATE
                                        && isSettled(scene)) {
                                    int there = scene.balloon().pages().cardinality();
                                    tally.judge(
                                            scene.balloon().target() < there,
                                            PageNumbers.of(chain, scene.memory()).length
                                                    + " pages are taken out of " + there + " while num_pages is "
                                                    + scene.balloon().target());
                                }
                            }),
                    Observation.of(
                                    "balloon.pages.7",
                                    "With MUST_TELL_HOST, pages in the balloon are not changed until the device has"
                                            + " used the request that takes them out",
                                    () -> new Untouched(Role.DEFLATE))
                            .and("balloon.pages.6"),
                    Observation.of(
                            "balloon.pages.9",
                            "Pages are not changed while the request that gives them is not used",
                            () -> new Untouched(Role.INFLATE)),
                    Observation.looking(
                            "balloon.pages.10",
                            "No page is taken out before the device has used the request that gave it",
                            (event, scene, tally) -> {
                                if (event instanceof Event.Available(Ring ring, Chain chain)
                                        && scene.role(ring) == Role.DEFLATE) {
                                    for (int page : PageNumbers.of(chain, scene.memory())) {
                                        boolean early =
                                                scene.balloon().inflating().get(page & Integer.MAX_VALUE);
                                        tally.judge(!early, "page " + page + " was taken out too early");
                                    }
                                }
                            }),
                    Observation.of(
                                    "balloon.pages.11",
                                    "The driver updates actual after the number of pages has changed",
                                    Actual::new)
                            .and("vhost.config.6"))
            .map(each -> each.on(DeviceType.BALLOON))
            .toList();

    static final Map<String, String> UNWATCHED = Map.of(
            "balloon.pages.2", "This is a permission, so nothing can break it.",
            "balloon.pages.3", "This is a permission, so nothing can break it.",
            "balloon.pages.5", "A permission; the device does not know whether the guest would be stable otherwise.",
            "balloon.pages.8", "This is a permission, so nothing can break it.",
            "balloon.pages.12", "This is a permission, so nothing can break it.");

    private BalloonObservers() {}

    private static boolean isSettled(Scene scene) {
        return scene.isOver(scene.balloon().targetSince(), System.nanoTime(), TO_NOTICE);
    }

    /** The driver must send a request on the inflate queue while the device wants more pages. */
    private static final class Gives implements Observer {
        private long since;

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            boolean more = scene.isRunning()
                    && scene.balloon().target() > scene.balloon().pages().cardinality();
            switch (event) {
                case Event.Available(Ring ring, Chain chain)
                when scene.role(ring) == Role.INFLATE -> {
                    since = 0;
                    tally.kept();
                }
                case Event.Tick(long now) when !more -> since = 0;
                case Event.Tick(long now) when since == 0 -> since = now;
                case Event.Tick(long now)
                when scene.isOver(since, now, TO_BEGIN) -> {
                    since = Long.MAX_VALUE;
                    tally.broken("num_pages is " + scene.balloon().target() + ", "
                            + scene.balloon().pages().cardinality()
                            + " pages are in the balloon, but the driver added none for "
                            + TO_BEGIN.toSeconds() + " s");
                }
                default -> {}
            }
        }
    }

    private static final class Actual implements Observer {
        private final BitSet told = new BitSet();
        private long since;

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            int there = scene.balloon().pages().cardinality();
            switch (event) {
                case Event.ConfigWritten(int offset, byte[] data)
                when !told.get(0) || since != 0 -> {
                    told.set(0);
                    since = 0;
                    tally.kept();
                }
                case Event.Used(Ring ring, Chain chain)
                when scene.role(ring) == Role.INFLATE || scene.role(ring) == Role.DEFLATE -> since = System.nanoTime();
                case Event.Tick(long now)
                when since != 0 && scene.isOver(since, now, TO_TELL) -> {
                    since = 0;
                    if (scene.isRunning()) {
                        tally.broken(there + " pages are in the balloon, but for " + TO_TELL.toSeconds()
                                + " s nothing was written to the config space");
                    }
                }
                case Event.RingStopping(Ring ring) -> since = 0;
                default -> {}
            }
        }
    }

    /** Compares the content of pages at the arrival of a request and when the request is used. */
    private static final class Untouched implements Observer {
        private final Role role;
        private final Map<Chain, List<Integer>> before = new HashMap<>();
        private final Map<Integer, Integer> inBalloon = new HashMap<>();

        Untouched(Role role) {
            this.role = role;
        }

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            if (role == Role.DEFLATE && !scene.has(BalloonFeatures.MUST_TELL_HOST)) {
                return;
            }
            GuestMemory memory = scene.memory();
            switch (event) {
                case Event.Available(Ring ring, Chain chain)
                when scene.role(ring) == role && role == Role.INFLATE -> before.put(chain, contents(chain, memory));
                case Event.Using(Ring ring, Chain chain, Chain now)
                when scene.role(ring) == Role.INFLATE -> {
                    int[] pages = PageNumbers.of(chain, memory);
                    List<Integer> hashes = contents(chain, memory);
                    if (role == Role.DEFLATE) {
                        for (int i = 0; i < pages.length; i++) {
                            inBalloon.put(pages[i], hashes.get(i));
                        }
                        return;
                    }
                    List<Integer> then = before.remove(chain);
                    if (then != null) {
                        judge(pages, then, hashes, tally);
                    }
                }
                case Event.Using(Ring ring, Chain chain, Chain now)
                when scene.role(ring) == role -> {
                    int[] pages = PageNumbers.of(chain, memory);
                    List<Integer> then = new ArrayList<>();
                    List<Integer> hashes = contents(chain, memory);
                    for (int i = 0; i < pages.length; i++) {
                        Integer given = inBalloon.remove(pages[i]);
                        then.add(given == null ? hashes.get(i) : given);
                    }
                    judge(pages, then, hashes, tally);
                }
                case Event.RingStarted(Ring ring) -> {
                    before.clear();
                    if (scene.balloon().pages().isEmpty()) {
                        inBalloon.clear();
                    }
                }
                default -> {}
            }
        }

        private static void judge(int[] pages, List<Integer> then, List<Integer> now, Tally tally) {
            for (int i = 0; i < pages.length; i++) {
                tally.judge(then.get(i).equals(now.get(i)), "page " + pages[i] + " was changed");
            }
        }

        private static List<Integer> contents(Chain chain, GuestMemory memory) {
            List<Integer> all = new ArrayList<>();
            for (int page : PageNumbers.of(chain, memory)) {
                all.add(PageContents.hash(memory, Integer.toUnsignedLong(page) * BalloonState.PAGE, BalloonState.PAGE));
            }
            return all;
        }
    }

    /** For other observers that examine buffers. */
    static boolean isReadable(Chain chain) {
        return !chain.buffers().isEmpty() && chain.buffers().stream().noneMatch(each -> each.has(Descriptor.WRITE));
    }
}
