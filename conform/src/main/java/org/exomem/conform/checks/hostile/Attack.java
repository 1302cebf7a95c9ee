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
 * An action that is forbidden to a front-end or a driver, in a running session. The back-end may do anything in that
 * session, but it must serve the next one.
 *
 * @param name the attack, for messages: "a message of version 0"
 */
record Attack(String name, Act act) {
    /** Offers an attack everything that it may need. */
    static final Wish WISH = Wish.USUAL
            .wanting(Features.INDIRECT_DESC)
            .wantingProtocol(Protocol.LOG_SHMFD
                    | Protocol.INFLIGHT_SHMFD
                    | Protocol.CONFIGURE_MEM_SLOTS
                    | Protocol.DEVICE_STATE);

    private static final long RAM_SIZE = 16L << 20;

    /** The actions of the attack. They must not wait for an answer that may not come. */
    @FunctionalInterface
    interface Act {
        void commit(Session session) throws Exception;
    }

    /**
     * Makes each attack in a session of its own, and one session more. Each session shows that the back-end survived
     * the attack before it.
     */
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

    /** Guest memory that the sessions of a check use one after the other. */
    static GuestRam memory(Trial trial) throws IOException {
        return GuestRam.ofLayout(trial.memoryWith(0, RAM_SIZE));
    }

    /** Fails the check unless the back-end serves a session. */
    static void expectServed(Trial trial, String after) throws IOException {
        served(trial, trial.closeLater(memory(trial)), after).device().close();
    }

    /**
     * A running session. It has served a request, if the check knows a request that the device serves.
     *
     * @param after the attack of the session before; empty if there was none
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

    /** Steps at which the back-end may refuse a request or close the connection. */
    @FunctionalInterface
    interface Steps {
        void take() throws Exception;
    }

    /** Takes steps up to the first that is refused. Returns true if none was. */
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
