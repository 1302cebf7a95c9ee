package org.exomem.conform.strict.serve;

import java.time.Duration;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conform.wire.Transcript;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.LinuxException;

/** Commits the deliberate fault once, and reports the front-end's reaction. For one thread. */
final class Provoking {
    private static final Duration TO_REACT = Duration.ofSeconds(5);

    private final Provocation what;
    private final SessionNotes notes;
    private final Transcript transcript;
    private boolean ran;
    private boolean done;
    private long since;
    private int statusesBefore;
    private boolean told;

    Provoking(Provocation what, SessionNotes notes, Transcript transcript) {
        this.what = what;
        this.notes = notes;
        this.transcript = transcript;
    }

    void step(Scene scene, OwnChannel channel, Script script, long now) throws LinuxException {
        ran |= scene.isRunning();
        boolean moment = switch (what) {
            case CONFIG_CHANGE_BEFORE_START -> !ran;
            case CONFIG_CHANGE_WHILE_STOPPED -> ran && isStopped(scene);
            case NEEDS_RESET -> scene.isRunning() && script.isDone() && !channel.isBusy();
            case NONE, FAILURE, WRONG_REPLY -> false;
        };
        if (moment && !done) {
            provoked();
            statusesBefore = scene.count(Request.GET_STATUS);
            if (what == Provocation.NEEDS_RESET) {
                scene.setStatus(scene.status() | Scene.NEEDS_RESET);
                channel.want();
            } else {
                channel.provoke(scene, now);
            }
        }
        if (!told && what == Provocation.NEEDS_RESET && isTimeUp(scene, now)) {
            told = true;
            int asked = scene.count(Request.GET_STATUS) - statusesBefore;
            notes.add("the device set DEVICE_NEEDS_RESET and sent a config change; the front-end read the status "
                    + asked + " times within " + TO_REACT.toSeconds() + " s");
        }
    }

    private static boolean isStopped(Scene scene) {
        return scene.rings().stream().noneMatch(ring -> ring.queue().isPresent());
    }

    /** The fault was committed, here or in another part of the device. */
    void provoked() {
        transcript.say("provocation: " + what);
        done = true;
        since = System.nanoTime();
    }

    /** The front-end has gone. */
    void ended(Scene scene) {
        if (done && !isTimeUp(scene, System.nanoTime())) {
            notes.add("the front-end ended the session " + (System.nanoTime() - since) / 1_000_000
                    + " ms after the provocation " + what);
        }
    }

    private boolean isTimeUp(Scene scene, long now) {
        return done && scene.isOver(since, now, TO_REACT);
    }

    /** True if nothing more is to be done. A front-end that may also continue must have had time to react. */
    boolean isDone(Scene scene) {
        return switch (what) {
            case NONE, CONFIG_CHANGE_BEFORE_START, CONFIG_CHANGE_WHILE_STOPPED -> true;
            case NEEDS_RESET -> told;
            case FAILURE, WRONG_REPLY -> isTimeUp(scene, System.nanoTime());
        };
    }
}
