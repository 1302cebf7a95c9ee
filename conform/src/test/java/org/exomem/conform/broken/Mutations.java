package org.exomem.conform.broken;

import java.util.List;
import java.util.stream.Stream;

/** All mutations. */
final class Mutations {
    static final List<Mutation> ALL = Stream.of(
                    WireMutations.ALL,
                    RingMutations.ALL,
                    StateMutations.ALL,
                    MemMutations.ALL,
                    RobustMutations.ALL,
                    BalloonMutations.ALL,
                    SuspendMutations.ALL,
                    PostcopyMutations.ALL,
                    OfferedMutations.ALL)
            .flatMap(List::stream)
            .toList();

    private Mutations() {}
}
