package org.exomem.conform.strict.observers;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.observe.Observer;
import org.exomem.conform.strict.observe.Tally;
import org.exomem.conform.strict.ring.Chain;
import org.exomem.conform.strict.ring.Descriptor;
import org.exomem.conform.strict.ring.Ring;
import org.exomem.conform.strict.scene.BalloonState;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Role;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.guest.BalloonFeatures;

/** Statistics, hints, reports and poison of a balloon's driver. */
final class BalloonQueueObservers {
    private static final Duration TO_OFFER = Duration.ofSeconds(5);
    private static final Duration TO_HINT = Duration.ofSeconds(10);
    private static final Duration TO_STOP = Duration.ofSeconds(2);
    private static final int STATISTIC = 10;
    private static final int COMMAND = 4;
    private static final int POISON_OFFSET = 12;

    static final List<Observation> ALL = Stream.of(
                    Observation.looking(
                            "balloon.stats.1",
                            "At most one buffer of statistics is available",
                            (event, scene, tally) -> {
                                if (event instanceof Event.Available(Ring ring, Chain chain)
                                        && scene.role(ring) == Role.STATISTICS) {
                                    tally.judge(
                                            ring.held().size() == 1,
                                            ring.held().size() + " are, the last one is " + chain);
                                }
                            }),
                    Observation.of(
                            "balloon.stats.2",
                            "A device-readable buffer of statistics is made available after the initialization",
                            () -> new Offers(true)),
                    Observation.of(
                            "balloon.stats.3",
                            "A buffer of statistics is made available again when the device has used the previous one",
                            () -> new Offers(false)),
                    Observation.looking(
                            "balloon.stats.5",
                            "A buffer of statistics has whole entries of 10 bytes (the document says 6)",
                            (event, scene, tally) -> {
                                if (event instanceof Event.Available(Ring ring, Chain chain)
                                        && scene.role(ring) == Role.STATISTICS) {
                                    int length = chain.bytes(scene.memory()).length;
                                    tally.judge(length % STATISTIC == 0, "it has " + length + " bytes");
                                }
                            }),
                    Observation.of("balloon.stats.8", "All buffers hold the same statistics", SameTags::new),
                    Observation.looking(
                            "balloon.hint.1",
                            "Each device-readable buffer on the free page queue has 4 bytes",
                            (event, scene, tally) -> {
                                if (event instanceof Event.Available(Ring ring, Chain chain)
                                        && scene.role(ring) == Role.FREE_PAGES) {
                                    chain.readable()
                                            .forEach(each -> tally.judge(each.length() == COMMAND, each.toString()));
                                }
                            }),
                    Observation.of(
                            "balloon.hint.2",
                            "Free pages follow a buffer with the current command id",
                            () -> new Hints("balloon.hint.2")),
                    Observation.of(
                            "balloon.hint.3", "The current command id is sent once", () -> new Hints("balloon.hint.3")),
                    Observation.of(
                            "balloon.hint.4",
                            "Free pages are hinted while the command id is 2 or greater",
                            () -> new Hints("balloon.hint.4")),
                    Observation.of(
                            "balloon.hint.5",
                            "No free pages are hinted when the command id is STOP or DONE",
                            () -> new Hints("balloon.hint.5")),
                    Observation.of(
                            "balloon.hint.6",
                            "Hints end with a buffer that contains STOP",
                            () -> new Hints("balloon.hint.6")),
                    Observation.looking(
                            "balloon.poison.2",
                            "With PAGE_POISON, poison_val is written before DRIVER_OK",
                            (event, scene, tally) -> {
                                if (event instanceof Event.RingStarted(Ring ring)
                                        && ring.index() == 0
                                        && scene.has(BalloonFeatures.PAGE_POISON)
                                        && (ring.base().orElse(0) & 0x7fff) == 0) {
                                    tally.judge(
                                            scene.count(org.exomem.conformance.frontend.Request.SET_CONFIG) > 0,
                                            "the rings run, but nothing was written to the config space");
                                }
                            }),
                    Observation.looking(
                            "balloon.poison.3",
                            "With PAGE_POISON, poison_val is not changed while the driver runs",
                            (event, scene, tally) -> {
                                if (event instanceof Event.ConfigWritten(int offset, byte[] data)
                                        && scene.has(BalloonFeatures.PAGE_POISON)
                                        && scene.isRunning()) {
                                    Optional<Integer> value = poison(offset, data);
                                    value.ifPresent(now -> tally.judge(
                                            now == scene.balloon().poison(),
                                            "it was 0x"
                                                    + Integer.toHexString(
                                                            scene.balloon().poison()) + ", but 0x"
                                                    + Integer.toHexString(now) + " was written"));
                                }
                            }),
                    Observation.looking(
                            "balloon.report.2",
                            "With PAGE_POISON, reported pages are filled with poison_val",
                            // Checked at the use of the chain: a write of poison_val before it may still be on its way
                            // when the chain is found.
                            (event, scene, tally) -> {
                                if (event instanceof Event.Using(Ring ring, Chain chain, Chain now)
                                        && scene.role(ring) == Role.REPORTING
                                        && scene.has(BalloonFeatures.PAGE_POISON)) {
                                    chain.writable()
                                            .forEach(each -> tally.judge(isPoisoned(each, scene), each.toString()));
                                }
                            }),
                    Observation.of(
                            "balloon.report.3",
                            "Reported pages are not changed until the device has used the request",
                            ReportsUntouched::new))
            .map(each -> each.on(DeviceType.BALLOON))
            .toList();

    static final Map<String, String> UNWATCHED = Map.of(
            "balloon.stats.6", "This is a permission, so nothing can break it.",
            "balloon.stats.7", "This is a permission, so nothing can break it.",
            "balloon.hint.7", "This is a permission, so nothing can break it.",
            "balloon.report.4", "This is a permission, so nothing can break it.");

    private BalloonQueueObservers() {}

    private static Optional<Integer> poison(int offset, byte[] data) {
        int at = POISON_OFFSET - offset;
        return at >= 0 && at + Integer.BYTES <= data.length
                ? Optional.of(
                        ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN).getInt(at))
                : Optional.empty();
    }

    private static boolean isPoisoned(Descriptor buffer, Scene scene) {
        var bytes = scene.memory().guest(buffer.address(), buffer.length());
        if (bytes == null) {
            return true;
        }
        for (long at = 0; at + Integer.BYTES <= bytes.byteSize(); at += Integer.BYTES) {
            if (bytes.get(org.exomem.conform.strict.memory.GuestMemory.LE_INT, at)
                    != scene.balloon().poison()) {
                return false;
            }
        }
        return true;
    }

    /** The driver must send a buffer of statistics soon. */
    private static final class Offers implements Observer {
        private final boolean first;
        private boolean due;
        private long since;

        Offers(boolean first) {
            this.first = first;
        }

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            switch (event) {
                case Event.RingStarted(Ring ring)
                when first
                        && scene.role(ring) == Role.STATISTICS
                        && (ring.base().orElse(0) & 0x7fff) == 0 -> due(System.nanoTime());
                case Event.Used(Ring ring, Chain chain)
                when !first && scene.role(ring) == Role.STATISTICS -> due(System.nanoTime());
                case Event.RingStopping(Ring ring) -> due = false;
                case Event.Available(Ring ring, Chain chain)
                when scene.role(ring) == Role.STATISTICS && due -> {
                    due = false;
                    tally.judge(BalloonObservers.isReadable(chain), chain + " is not device-readable");
                }
                case Event.Tick(long now)
                when due && scene.isOver(since, now, TO_OFFER) && scene.isRunning() -> {
                    due = false;
                    tally.broken("none was made available within " + TO_OFFER.toSeconds() + " s");
                }
                default -> {}
            }
        }

        private void due(long now) {
            due = true;
            since = now;
        }
    }

    private static final class SameTags implements Observer {
        private final Set<Integer> before = new TreeSet<>();

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            if (event instanceof Event.RingStarted(Ring ring) && ring.index() == 0) {
                before.clear();
            }
            if (event instanceof Event.Available(Ring ring, Chain chain) && scene.role(ring) == Role.STATISTICS) {
                ByteBuffer bytes = ByteBuffer.wrap(chain.bytes(scene.memory())).order(ByteOrder.LITTLE_ENDIAN);
                Set<Integer> now = new TreeSet<>();
                for (int at = 0; at + STATISTIC <= bytes.limit(); at += STATISTIC) {
                    now.add(Short.toUnsignedInt(bytes.getShort(at)));
                }
                if (!before.isEmpty()) {
                    tally.judge(now.equals(before), "before it was " + before + ", now it is " + now);
                }
                before.clear();
                before.addAll(now);
            }
        }
    }

    /** Follows a hinting session, for one of the rules about it. */
    private static final class Hints implements Observer {
        private final String rule;
        private final Set<Integer> begun = new HashSet<>();
        private boolean open;
        private boolean pages;
        private int shown;
        private long shownSince;
        /** When the last buffer came, or the command id was shown. */
        private long lastSince;

        Hints(String rule) {
            this.rule = rule;
        }

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            if (scene.balloon().command() != shown) {
                shown = scene.balloon().command();
                shownSince = System.nanoTime();
                lastSince = shownSince;
                pages = false;
            }
            switch (event) {
                case Event.Available(Ring ring, Chain chain)
                when scene.role(ring) == Role.FREE_PAGES -> {
                    lastSince = System.nanoTime();
                    byte[] id = chain.bytes(scene.memory());
                    if (id.length == COMMAND) {
                        command(
                                ByteBuffer.wrap(id)
                                        .order(ByteOrder.LITTLE_ENDIAN)
                                        .getInt(),
                                tally);
                    }
                    if (!chain.writable().isEmpty()) {
                        hinted(chain, scene, tally);
                    }
                }
                case Event.RingStopping(Ring ring) -> {
                    open = false;
                    lastSince = Long.MAX_VALUE;
                }
                case Event.Tick(long now) when scene.isRunning() -> late(now, scene, tally);
                default -> {}
            }
        }

        private void command(int id, Tally tally) {
            if (id == BalloonState.STOP) {
                if (open && rule.equals("balloon.hint.6")) {
                    tally.kept();
                }
                open = false;
                return;
            }
            if (id == shown) {
                if (rule.equals("balloon.hint.3")) {
                    tally.judge(begun.add(id), "command id 0x" + Integer.toHexString(id) + " was sent again");
                }
                open = true;
            }
        }

        private void hinted(Chain chain, Scene scene, Tally tally) {
            boolean session = Integer.compareUnsigned(shown, 2) >= 0;
            pages = true;
            switch (rule) {
                case "balloon.hint.2" -> {
                    if (session) {
                        tally.judge(open, "the driver made available " + chain + " before it");
                    }
                }
                case "balloon.hint.4" -> tally.kept();
                case "balloon.hint.5" -> {
                    boolean settled = scene.isOver(shownSince, System.nanoTime(), TO_STOP);
                    if (session || settled) {
                        tally.judge(session, "the command id is " + shown + ", but the driver made available " + chain);
                    }
                }
                default -> {}
            }
        }

        private void late(long now, Scene scene, Tally tally) {
            boolean session = Integer.compareUnsigned(shown, 2) >= 0;
            if (!session || !scene.isOver(lastSince, now, TO_HINT)) {
                return;
            }
            if (rule.equals("balloon.hint.4") && !pages) {
                tally.broken("the command id is 0x" + Integer.toHexString(shown)
                        + ", but the driver hinted no pages for " + TO_HINT.toSeconds() + " s");
            } else if (rule.equals("balloon.hint.6") && open) {
                tally.broken("the driver sent nothing for " + TO_HINT.toSeconds() + " s, and no STOP before that");
            }
            lastSince = Long.MAX_VALUE;
        }
    }

    /** Compares the content of reported pages at the report and when the report is used. */
    private static final class ReportsUntouched implements Observer {
        private final Map<Chain, List<Integer>> before = new HashMap<>();

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            switch (event) {
                case Event.Available(Ring ring, Chain chain)
                when scene.role(ring) == Role.REPORTING -> before.put(chain, contents(chain, scene));
                case Event.Using(Ring ring, Chain chain, Chain now)
                when scene.role(ring) == Role.REPORTING -> {
                    List<Integer> then = before.remove(chain);
                    if (then != null) {
                        tally.judge(then.equals(contents(chain, scene)), chain + " was changed");
                    }
                }
                default -> {}
            }
        }

        private static List<Integer> contents(Chain chain, Scene scene) {
            List<Integer> all = new ArrayList<>();
            for (Descriptor each : chain.writable()) {
                all.add(PageContents.hash(scene.memory(), each.address(), each.length()));
            }
            return all;
        }
    }
}
