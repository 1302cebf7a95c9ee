package org.exomem.conform.strict.observers;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.observe.Observer;
import org.exomem.conform.strict.observe.Tally;
import org.exomem.conform.strict.ring.Chain;
import org.exomem.conform.strict.ring.Ring;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.MemRequest;
import org.exomem.conform.strict.scene.MemState;
import org.exomem.conform.strict.scene.Role;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conform.trial.DeviceType;
import org.exomem.linux.LinuxException;

/** The behaviour of drivers of memory devices. */
final class MemObservers {
    private static final Duration TO_BEGIN = Duration.ofSeconds(10);

    static final List<Observation> ALL = Stream.of(
                    Observation.looking(
                            "mem.config.1", "The driver does not write to the config space", (event, scene, tally) -> {
                                switch (event) {
                                    case Event.ConfigWritten(int offset, byte[] data) ->
                                        tally.broken(data.length + " bytes at " + offset + " were written");
                                    case Event.Available(Ring ring, Chain chain) -> tally.kept();
                                    default -> {}
                                }
                            }),
                    Observation.of(
                            "mem.init.2",
                            "A driver that finds memory plugged sends UNPLUG ALL first",
                            UnplugsFirst::new),
                    Observation.looking(
                            "mem.block.1", "The driver does not write to unplugged blocks", (event, scene, tally) -> {
                                if (event instanceof Event.Available(Ring ring, Chain chain)
                                        && scene.role(ring) == Role.REQUESTS) {
                                    unwritten(MemRequest.of(chain, scene.memory()), scene, tally);
                                }
                            }),
                    Observation.of(
                            "mem.block.8",
                            "The driver plugs or unplugs blocks when requested_size has changed",
                            Resizes::new))
            .map(each -> each.on(DeviceType.MEM))
            .toList();

    static final Map<String, String> UNWATCHED = Map.of(
            "mem.config.2",
                    "The device fills the padding. Only the driver's correct operation shows that it ignores the"
                            + " padding.",
            "mem.block.10", "This is a permission, so nothing can break it.",
            "mem.plug.1",
                    "The device fills the rest. Only the driver's correct operation shows that it ignores the rest.",
            "mem.unplug.1",
                    "The device fills the rest. Only the driver's correct operation shows that it ignores the rest.",
            "mem.unplug-all.1",
                    "The device fills the rest. Only the driver's correct operation shows that it ignores the rest.",
            "mem.state.1",
                    "The device fills the rest. Only the driver's correct operation shows that it ignores the rest.",
            "mem.state.2",
                    "The device fills the state. Only the driver's correct operation shows that it ignores the state.");

    private MemObservers() {}

    /** Blocks that are to be plugged must still be as the device left them: full of zeros. */
    private static void unwritten(MemRequest request, Scene scene, Tally tally) {
        MemState mem = scene.mem();
        if (request.type() != MemRequest.PLUG || !mem.isRange(request.address(), request.blocks())) {
            return;
        }
        for (int i = 0; i < request.blocks(); i++) {
            long address = request.address() + i * mem.block();
            if (mem.plugged().get(mem.number(address))) {
                continue;
            }
            try {
                tally.judge(
                        scene.memory().isZero(address, mem.block()),
                        "the block at 0x" + Long.toHexString(address) + " is not plugged, but contains data");
            } catch (LinuxException e) {
                // If the file can't be examined, nothing is known.
            }
        }
    }

    private static final class UnplugsFirst implements Observer {
        private boolean due;

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            switch (event) {
                case Event.RingStarted(Ring ring) ->
                    due = (ring.base().orElse(0) & 0x7fff) == 0 && scene.mem().pluggedSize() > 0;
                case Event.Available(Ring ring, Chain chain)
                when due -> {
                    due = false;
                    MemRequest request = MemRequest.of(chain, scene.memory());
                    tally.judge(
                            request.type() == MemRequest.UNPLUG_ALL,
                            scene.mem().pluggedSize() + " bytes are plugged, but the first request of the driver is "
                                    + request);
                }
                default -> {}
            }
        }
    }

    private static final class Resizes implements Observer {
        private long asked;
        private long since;

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            MemState mem = scene.mem();
            if (mem.requestedSince() != asked) {
                asked = mem.requestedSince();
                since = mem.requested() == mem.pluggedSize() ? 0 : System.nanoTime();
            }
            switch (event) {
                case Event.Available(Ring ring, Chain chain)
                when since != 0 -> {
                    since = 0;
                    tally.kept();
                }
                case Event.Tick(long now)
                when since != 0 && scene.isOver(since, now, TO_BEGIN) -> {
                    since = 0;
                    if (scene.isRunning()) {
                        tally.broken("requested_size is " + mem.requested() + ", " + mem.pluggedSize()
                                + " bytes are plugged, but the driver sent no request for " + TO_BEGIN.toSeconds()
                                + " s");
                    }
                }
                default -> {}
            }
        }
    }
}
