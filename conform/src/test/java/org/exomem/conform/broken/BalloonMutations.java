package org.exomem.conform.broken;

import static org.exomem.conform.broken.GuestView.LE_INT;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.Buffer;

/**
 * The balloon (VIRTIO 5.5), wrong in one way each. The checks negotiate few features: the queue that they need is the
 * third.
 */
final class BalloonMutations {
    private static final long MUST_TELL_HOST = 1;
    private static final int INFLATE = 0;
    private static final int DEFLATE = 1;
    private static final int THIRD = 2;
    private static final int PAGE = 4096;
    private static final int STATISTIC = 10;
    private static final int KNOWN_TAGS = 16;
    private static final int COMMAND_ID = 8;
    private static final int SHOWN = 0x4321;
    private static final int DONE = 1;
    private static final int REPETITIONS = 10;
    private static final long A_WHILE = 10_000_000;

    static final List<Mutation> ALL = List.of(
            of(
                    "balloon.feature.4",
                    "a driver without MUST_TELL_HOST is accepted and not served",
                    () -> new Broken()
                            .usedAs((ring, elements) ->
                                    (ring.line().features() & MUST_TELL_HOST) == 0 ? List.of() : elements)),
            of(
                    "balloon.pages.13",
                    "pages are cleared after their inflate request was used",
                    () -> clearedLater(INFLATE)),
            of(
                    "balloon.pages.14",
                    "pages are cleared after their deflate request was used",
                    () -> clearedLater(DEFLATE)),
            of(
                    "balloon.stats.9",
                    "a tag that is not known is an error of the queue",
                    () -> statistics(tags -> tags.stream().anyMatch(tag -> tag >= KNOWN_TAGS))),
            of(
                    "balloon.stats.10",
                    "statistics that are not in order are an error of the queue",
                    () -> statistics(tags -> {
                        for (int i = 1; i < tags.size(); i++) {
                            if (tags.get(i) < tags.get(i - 1)) {
                                return true;
                            }
                        }
                        return false;
                    })),
            of("balloon.hint.12", "a command id is shown again before STOP", () -> {
                int[] reads = new int[1];
                return showing(new Broken(), unused -> reads[0]++ / 2 % 2 == 0 ? SHOWN : SHOWN + 1);
            }),
            of("balloon.hint.13", "a hint of another session is accepted", () -> clearingHints(new Broken())),
            of(
                    "balloon.hint.14",
                    "a page that the guest has written is cleared",
                    () -> showing(clearingHints(new Broken()), unused -> SHOWN)),
            of("balloon.hint.15", "hinted pages are cleared when the id is DONE", BalloonMutations::clearsWhenDone),
            of("balloon.report.7", "reported pages are cleared after the report was used", () -> {
                Later later = new Later();
                return later.on(new Broken()).beforeUsed((ring, chain) -> {
                    if (ring.index() == THIRD) {
                        later.add(() -> fill(ring.memory(), chain, 0));
                    }
                });
            }),
            of(
                    "balloon.report.8",
                    "reported pages have other content than poison_val",
                    () -> new Broken().beforeUsed((ring, chain) -> {
                        if (ring.index() == THIRD) {
                            fill(ring.memory(), chain, 0x5b);
                        }
                    })));

    private BalloonMutations() {}

    private static Mutation of(String requirement, String name, Supplier<Tampering> tampering) {
        return new Mutation(requirement, name, DeviceType.BALLOON, tampering);
    }

    /** An action that is repeated for a while after an event. */
    private static final class Later {
        private final List<Runnable> tasks = new ArrayList<>();
        private long at;
        private int left;

        Broken on(Broken broken) {
            return broken.onTick(line -> {
                if (left > 0 && System.nanoTime() > at) {
                    left--;
                    at = System.nanoTime() + A_WHILE;
                    tasks.forEach(Runnable::run);
                }
            });
        }

        void add(Runnable task) {
            at = System.nanoTime() + A_WHILE;
            left = REPETITIONS;
            tasks.add(task);
        }
    }

    private static Broken clearedLater(int queue) {
        Later later = new Later();
        return later.on(new Broken()).beforeUsed((ring, chain) -> {
            if (ring.index() != queue) {
                return;
            }
            ByteBuffer pages = ByteBuffer.wrap(chain.readable(ring.memory())).order(ByteOrder.LITTLE_ENDIAN);
            while (pages.remaining() >= Integer.BYTES) {
                long page = Integer.toUnsignedLong(pages.getInt());
                MemorySegment bytes = ring.memory().guest(page * PAGE, PAGE);
                if (bytes != null) {
                    later.add(() -> bytes.fill((byte) 0));
                }
            }
        });
    }

    /** Reports an error of the queue after statistics with wrong tags. */
    private static Broken statistics(Predicate<List<Integer>> wrong) {
        Fds error = new Fds();
        return new Broken()
                .keeping(error)
                .onRequest(Request.SET_VRING_ERR, (message, line) -> {
                    message.fds().forEach(error::keepEvent);
                    return List.of(message);
                })
                .onAvailable((ring, chain) -> {
                    if (ring.index() == THIRD && wrong.test(tags(chain.readable(ring.memory())))) {
                        error.signal();
                    }
                });
    }

    private static List<Integer> tags(byte[] statistics) {
        ByteBuffer values = ByteBuffer.wrap(statistics).order(ByteOrder.LITTLE_ENDIAN);
        List<Integer> tags = new ArrayList<>();
        for (int at = 0; at + STATISTIC <= statistics.length; at += STATISTIC) {
            tags.add(Short.toUnsignedInt(values.getShort(at)));
        }
        return tags;
    }

    /** A host that requests hints without the knowledge of the real one. */
    private static Broken showing(Broken broken, IntUnaryOperator id) {
        return broken.answering(Request.GET_CONFIG, message -> {
            int at = Payload.CONFIG_HEADER_SIZE + COMMAND_ID - message.intAt(0);
            return message.intAt(0) > COMMAND_ID || !message.hasInt(at)
                    ? message
                    : message.withInt(at, id.applyAsInt(message.intAt(at)));
        });
    }

    private static Broken clearingHints(Broken broken) {
        return broken.beforeUsed((ring, chain) -> {
            if (ring.index() == THIRD) {
                fill(ring.memory(), chain, 0);
            }
        });
    }

    private static Broken clearsWhenDone() {
        Later later = new Later();
        int[] shown = {SHOWN};
        List<Runnable> hinted = new ArrayList<>();
        Broken broken = later.on(new Broken()).beforeUsed((ring, chain) -> {
            if (ring.index() != THIRD) {
                return;
            }
            MemorySegment command = chain.first(false, ring.memory());
            if (command == null) {
                hinted.add(() -> fill(ring.memory(), chain, 0));
            } else if (command.byteSize() >= Integer.BYTES && command.get(LE_INT, 0) == 0) {
                shown[0] = DONE;
                hinted.forEach(later::add);
            }
        });
        return showing(broken, unused -> shown[0]);
    }

    private static void fill(GuestView memory, Chain chain, int value) {
        for (Buffer buffer : chain.buffers()) {
            MemorySegment bytes = buffer.writable() ? memory.guest(buffer.address(), buffer.length()) : null;
            if (bytes != null) {
                bytes.fill((byte) value);
            }
        }
    }
}
