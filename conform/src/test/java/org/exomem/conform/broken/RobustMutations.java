package org.exomem.conform.broken;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;

/** Back-ends that fail after one event each: they serve no connection after it. */
final class RobustMutations {
    private static final int SESSIONS = 3;
    private static final int NO_FD = 1 << 8;
    /** Version and reply bit. */
    private static final int HEADER_FLAGS = 7;

    private static final int LAST_REQUEST = 44;
    private static final long ORDER_PLATFORM = 1L << 36;

    static final List<Mutation> ALL = List.of(
            of(
                    "robust.message.1",
                    "the back-end dies of a malformed header",
                    () -> diesOf(message -> (message.flags() & HEADER_FLAGS) != Connection.VERSION)
                            .onPiece(Line::die)),
            of(
                    "robust.message.2",
                    "the back-end dies of a payload of a wrong size",
                    () -> diesOf(RobustMutations::hasWrongSize)),
            of(
                    "robust.message.3",
                    "the back-end dies of a missing descriptor, or of one too many",
                    () -> diesOf(RobustMutations::hasWrongDescriptors)),
            of(
                    "robust.message.4",
                    "the back-end dies of an unknown request",
                    () -> diesOf(message -> message.request() == 0 || message.request() > LAST_REQUEST)),
            of("robust.message.5", "the back-end dies when a message breaks off", RobustMutations::diesOfHalfMessages),
            of(
                    "robust.message.7",
                    "the back-end dies of numbers that can't be right",
                    RobustMutations::diesWhenItRefuses),
            of("robust.memory.1", "the back-end dies of wrong regions", RobustMutations::diesWhenItRefuses),
            of("robust.memory.2", "the back-end dies of wrong ring addresses", RobustMutations::diesWhenItRefuses),
            of(
                    "robust.memory.3",
                    "the back-end dies when a memory file is cut short",
                    RobustMutations::diesWhenCutShort),
            of("robust.ring.1", "the back-end dies of a wrong available index", RobustMutations::diesOfLeftChains),
            of("robust.ring.2", "the back-end dies of a chain without an end", RobustMutations::diesOfLeftChains),
            of("robust.ring.3", "the back-end dies of a buffer outside of memory", RobustMutations::diesOfLeftChains),
            of("robust.ring.4", "the back-end dies of a descriptor of no bytes", RobustMutations::diesOfLeftChains),
            of("robust.ring.5", "the back-end dies of a malformed indirect table", RobustMutations::diesOfLeftChains),
            of("robust.ring.6", "the back-end dies of a wrong in-flight area", RobustMutations::diesWhenItRefuses),
            of("robust.session.1", "the back-end serves a few sessions and no more", counted()),
            of(
                    "robust.session.2",
                    "the back-end dies when a front-end leaves with a request under way",
                    RobustMutations::diesOfLeftChains),
            of(
                    "robust.session.3",
                    "a second connection ends the first",
                    () -> new Broken().onSecondConnection(Line::end)),
            of("vhost.error.2", "the back-end dies of an error", RobustMutations::diesWhenItRefuses),
            of("reserved.15", "a driver without VERSION_1 is the last one", () -> diesWithout(Features.VERSION_1)),
            of(
                    "reserved.17",
                    "a driver without ACCESS_PLATFORM is the last one",
                    () -> diesWithout(Features.ACCESS_PLATFORM)),
            of("reserved.19", "a driver without ORDER_PLATFORM is the last one", () -> diesWithout(ORDER_PLATFORM)),
            of("robust.session.4", "the back-end dies when its answers are not read", RobustMutations::diesUnread));

    private RobustMutations() {}

    private static Mutation of(String requirement, String name, Supplier<Tampering> tampering) {
        return Mutation.of(requirement, name, tampering);
    }

    private static Broken diesOf(Predicate<Message> which) {
        return new Broken().onEveryRequest((message, line) -> {
            if (which.test(message)) {
                line.die();
            }
            return List.of(message);
        });
    }

    private static boolean hasWrongDescriptors(Message message) {
        return switch (message.request()) {
            case Request.SET_VRING_KICK, Request.SET_VRING_CALL, Request.SET_VRING_ERR ->
                message.fds().size() != 1 && (message.longAt(0) & NO_FD) == 0;
            case Request.SET_MEM_TABLE -> message.fds().size() != message.intAt(0);
            case Request.SET_FEATURES, Request.SET_STATUS, Request.GET_FEATURES ->
                !message.fds().isEmpty();
            default -> false;
        };
    }

    private static boolean hasWrongSize(Message message) {
        return switch (message.request()) {
            case Request.SET_FEATURES,
                    Request.SET_VRING_NUM,
                    Request.SET_VRING_BASE,
                    Request.SET_VRING_ENABLE,
                    Request.SET_VRING_KICK,
                    Request.SET_VRING_CALL -> message.payload().length != Long.BYTES;
            case Request.SET_VRING_ADDR -> message.payload().length != 40;
            default -> false;
        };
    }

    private static Broken diesWhenItRefuses() {
        boolean[] refused = new boolean[1];
        return new Broken()
                .onEveryReply((message, line) -> {
                    boolean asking = WireMutations.ASKING.contains(message.request());
                    refused[0] |= asking ? message.payload().length == 0 : message.longAt(0) != 0;
                    return List.of(message);
                })
                .onEnd((line, byBackEnd) -> {
                    if (refused[0] || byBackEnd) {
                        line.die();
                    }
                });
    }

    /** Offers a feature, and fails if a driver does not accept it. */
    private static Broken diesWithout(long feature) {
        return new Broken().withBits(Request.GET_FEATURES, feature).onRequest(Request.SET_FEATURES, (message, line) -> {
            if ((message.longAt(0) & feature) == 0) {
                line.die();
            }
            boolean own = feature == Features.VERSION_1;
            return List.of(own ? message : message.withLong(0, message.longAt(0) & ~feature));
        });
    }

    private static Broken diesOfHalfMessages() {
        boolean[] half = new boolean[1];
        return new Broken().onPiece(line -> half[0] = true).onEnd((line, byBackEnd) -> {
            if (half[0]) {
                line.die();
            }
        });
    }

    private static Broken diesOfLeftChains() {
        Set<Integer> left = new HashSet<>();
        return new Broken()
                .onAvailable((ring, chain) -> left.add(chain.id()))
                .eachUsed(element -> {
                    left.remove(element.id());
                    return element;
                })
                .onEnd((line, byBackEnd) -> {
                    if (!left.isEmpty()) {
                        line.die();
                    }
                });
    }

    private static Broken diesWhenCutShort() {
        List<SharedFile> files = new ArrayList<>();
        List<Long> sizes = new ArrayList<>();
        return new Broken()
                .onEveryRequest((message, line) -> {
                    boolean memory =
                            message.request() == Request.SET_MEM_TABLE || message.request() == Request.ADD_MEM_REG;
                    for (Fd fd : memory ? message.fds() : List.<Fd>of()) {
                        SharedFile file = new SharedFile(fd.duplicate());
                        files.add(file);
                        sizes.add(file.size());
                    }
                    return List.of(message);
                })
                .onEnd((line, byBackEnd) -> {
                    for (int i = 0; i < files.size(); i++) {
                        try (SharedFile file = files.get(i)) {
                            if (file.size() < sizes.get(i)) {
                                line.die();
                            }
                        } catch (LinuxException e) {
                            throw new IllegalStateException(e);
                        }
                    }
                });
    }

    private static Supplier<Tampering> counted() {
        int[] count = new int[1];
        return () -> new Broken().onEnd((line, byBackEnd) -> {
            if (++count[0] >= SESSIONS) {
                line.die();
            }
        });
    }

    private static Broken diesUnread() {
        int[] unanswered = new int[1];
        return new Broken()
                .onEveryRequest((message, line) -> {
                    if (++unanswered[0] > 1 && message.request() == Request.GET_FEATURES) {
                        line.die();
                    }
                    return List.of(message);
                })
                .onEveryReply((message, line) -> {
                    unanswered[0] = 0;
                    return List.of(message);
                });
    }
}
