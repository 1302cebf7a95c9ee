package org.exomem.conform.strict.serve;

import java.util.ArrayList;
import java.util.List;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conform.wire.Transcript;

/** Wants one thing after the other of the driver, while it runs. For one thread. */
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

    /** Goes on, if the driver runs. */
    void step(Scene scene, long now) {
        if (next == stages.size() || !scene.isRunning()) {
            return;
        }
        Stage stage = stages.get(next);
        if (!begun) {
            begun = true;
            since = now;
            transcript.say("the device wants that the driver " + stage.name());
            stage.begin().accept(scene);
        } else if (stage.done().test(scene)) {
            next++;
            begun = false;
        } else if (scene.isOver(since, now, stage.limit())) {
            unfinished.add("the driver did not do within " + stage.limit().toSeconds()
                    + " s what the device wanted of it: that it " + stage.name());
            next++;
            begun = false;
        }
    }

    /** A driver has started anew: everything is wanted of it too. */
    void restart() {
        next = 0;
        begun = false;
    }

    boolean isDone() {
        return next == stages.size();
    }

    /** What was waited for in vain. */
    List<String> unfinished() {
        return unfinished;
    }
}
