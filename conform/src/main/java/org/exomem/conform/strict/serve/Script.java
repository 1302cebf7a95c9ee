package org.exomem.conform.strict.serve;

import java.util.ArrayList;
import java.util.List;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conform.wire.Transcript;

/** Asks the driver for one stage after the other, while it runs. For one thread. */
final class Script {
    private final List<Stage> stages;
    private final Transcript transcript;
    private final List<String> unfinished = new ArrayList<>();
    private int next;
    private boolean begun;
    private long since;

    Script(List<Stage> stages, Transcript transcript) {
        this.stages = stages;
        this.transcript = transcript;
    }

    /** Takes the next step, if the driver runs. */
    void step(Scene scene, long now) {
        if (next == stages.size() || !scene.isRunning()) {
            return;
        }
        Stage stage = stages.get(next);
        if (!begun) {
            begun = true;
            since = now;
            transcript.say("the device requests that the driver " + stage.name());
            stage.begin().accept(scene);
        } else if (stage.done().test(scene)) {
            next++;
            begun = false;
        } else if (scene.isOver(since, now, stage.limit())) {
            unfinished.add("the device requested that the driver " + stage.name() + ", but this did not happen within "
                    + stage.limit().toSeconds() + " s");
            next++;
            begun = false;
        }
    }

    /** A driver has started anew: all stages begin again. */
    void restart() {
        next = 0;
        begun = false;
    }

    boolean isDone() {
        return next == stages.size();
    }

    /** The stages that the driver did not reach. */
    List<String> unfinished() {
        return unfinished;
    }
}
