package org.exomem.conform.checks.hostile;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.util.List;
import org.exomem.conform.trial.Closing;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.RequestRefusedException;
import org.exomem.conformance.guest.GuestRam;

/**
 * Something that a front-end or a driver must not do, in a session that runs. Whatever the back-end makes of it in that session is
 * right; the next session has to be served.
 *
 * @param name what it is, for messages: "a message of version 0"
 */
record Attack(String name, Act act) {
    /** With all that gives an attack something to reach. */
    static final Wish WISH = Wish.USUAL
            .wanting(Features.INDIRECT_DESC)
            .wantingProtocol(Protocol.LOG_SHMFD
                    | Protocol.INFLIGHT_SHMFD
                    | Protocol.CONFIGURE_MEM_SLOTS
                    | Protocol.DEVICE_STATE);

    private static final long RAM_SIZE = 16L << 20;

    /** What is done; it waits for no answer that may not come. */
    @FunctionalInterface
    interface Act {
        void commit(Session session) throws Exception;
    }

    /** Makes the attacks, each in a session of its own, which shows that the one before was survived; and one session more. */
    static void all(Trial trial, List<Attack> attacks) throws Exception {
        GuestRam ram = trial.closeLater(memory(trial));
        String before = "";
        for (Attack attack : attacks) {
            Session session = served(trial, ram, before);
            trial.transcript().say("attack: " + attack.name);
            before = attack.name;
            tolerate(trial, () -> attack.act.commit(session));
            session.device().close();
        }
        served(trial, ram, before).device().close();
    }

    /** Guest memory for the sessions of a check, one after the other. */
    static GuestRam memory(Trial trial) throws IOException {
        return GuestRam.ofLayout(trial.memoryWith(0, RAM_SIZE));
    }

    /** Fails the check unless the back-end serves a session. */
    static void expectServed(Trial trial, String after) throws IOException {
        served(trial, trial.closeLater(memory(trial)), after).device().close();
    }

    /**
     * A session that runs, and in which a request was served if one is known that the device serves.
     *
     * @param after what was done in the session before; empty if nothing
     */
    static Session served(Trial trial, GuestRam ram, String after) throws IOException {
        ram.releaseFrom(0);
        if (after.isEmpty()) {
            return served(trial, ram);
        }
        try {
            return served(trial, ram);
        } catch (SocketTimeoutException e) {
            throw new SocketTimeoutException("the session after " + after + ": " + e.getMessage());
        } catch (IOException | Unmet e) {
            throw new Unmet("the session after " + after + " was not served: " + e.getMessage());
        }
    }

    private static Session served(Trial trial, GuestRam ram) throws IOException {
        Session session = trial.session(WISH, ram);
        if (trial.sample().isPresent()) {
            session.start().serve();
        } else {
            session.settle();
        }
        return session;
    }

    /** Steps that the back-end may refuse, or close the connection at. */
    @FunctionalInterface
    interface Steps {
        void take() throws Exception;
    }

    /** Takes steps up to the first that is refused; returns whether none was. */
    static boolean tolerate(Trial trial, Steps steps) throws Exception {
        try {
            steps.take();
            return true;
        } catch (RequestRefusedException e) {
            trial.transcript().say("refused: " + e.getMessage());
            return false;
        } catch (IOException e) {
            if (!Closing.is(e)) {
                throw e;
            }
            trial.transcript().say("the back-end closed the connection");
            return false;
        }
    }
}
