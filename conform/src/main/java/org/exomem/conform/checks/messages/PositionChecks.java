package org.exomem.conform.checks.messages;

import java.io.IOException;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.SplitDriver;

/** How a back-end reports the position of a ring. */
final class PositionChecks {
    private static final long RAM = 16L << 20;
    private static final int SMALL_RING = 8;
    private static final int NEAR_THE_END = 65530;
    private static final int REQUESTS = 20;

    static final List<Check> ALL = List.of(
            Check.of(
                    "vhost.payload.5",
                    "The position of a split ring counts all requests, modulo 65536 and not modulo the ring's size",
                    PositionChecks::splitPositionCountsRequests),
            Check.of(
                    "vhost.payload.6",
                    "The position of a split ring has zeros in bits 16 to 31, also after 65535",
                    PositionChecks::splitPositionHasSixteenBits),
            Check.of(
                    "vhost.payload.8",
                    "The position of a packed ring has both ring positions and both wrap counters",
                    PositionChecks::packedPosition));

    private PositionChecks() {}

    private static Session ofSmallRings(Trial trial, Wish wish) throws IOException {
        return trial.session(wish, trial.closeLater(GuestRam.ofLayout(trial.memoryWith(0, RAM))), SMALL_RING);
    }

    private static int serveAndStop(Session session, int requests) throws IOException {
        for (int i = 0; i < requests; i++) {
            session.serve();
        }
        return session.frontEnd().getVringBase(session.ring().index());
    }

    private static void splitPositionCountsRequests(Trial trial) throws IOException {
        int position = serveAndStop(ofSmallRings(trial, Wish.USUAL).start(), REQUESTS);
        trial.expect(
                (position & 0xffff) == REQUESTS,
                "after " + REQUESTS + " requests on a split ring of " + SMALL_RING + " its position is reported as "
                        + (position & 0xffff));
    }

    private static void splitPositionHasSixteenBits(Trial trial) throws IOException {
        Session session = ofSmallRings(trial, Wish.USUAL);
        if (session.ring() instanceof SplitDriver split) {
            split.beginAt(NEAR_THE_END);
        }
        session.start();
        int position = serveAndStop(session, REQUESTS);
        trial.expect(
                position == NEAR_THE_END + REQUESTS - 65536,
                "after " + REQUESTS + " requests from position " + NEAR_THE_END + ", 0x"
                        + Integer.toHexString(position) + " is reported, not 0x"
                        + Integer.toHexString(NEAR_THE_END + REQUESTS - 65536));
    }

    private static void packedPosition(Trial trial) throws IOException {
        Session session =
                ofSmallRings(trial, Wish.USUAL.with(Features.RING_PACKED)).start();
        int requests = 0;
        // The first stop is in the ring's first round, the last one in its third.
        for (int more : new int[] {1, SMALL_RING, SMALL_RING}) {
            int position = serveAndStop(session, more);
            requests += more;
            int expected = session.ring().base();
            trial.expect(
                    position == expected,
                    "after " + requests + " requests on a packed ring of " + SMALL_RING + ", 0x"
                            + Integer.toHexString(position) + " is reported, not 0x" + Integer.toHexString(expected));
            session.device().start(session.ring(), position, false);
        }
    }
}
