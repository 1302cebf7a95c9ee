package org.exomem.backend.command;

import java.time.Duration;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.exomem.cli.text.VisibleText;
import org.jspecify.annotations.Nullable;

/** A progress bar on a terminal; no output elsewhere. */
final class ProgressLine implements AutoCloseable {
    /** Events report progress at most once a second; a bar should move more smoothly. */
    static final Duration LOOK_AGAIN = Duration.ofMillis(200);

    private static final long MIB = 1 << 20;

    private final @Nullable ProgressBar bar;

    /** A bar for this many bytes; none if the output is not a terminal. */
    ProgressLine(String what, long bytes, Output output) {
        boolean watched =
                !output.isJson() && System.console() != null && System.console().isTerminal();
        bar = watched && bytes > 0
                ? new ProgressBarBuilder()
                        .setTaskName(what)
                        .setInitialMax(bytes)
                        .setUnit(" MiB", MIB)
                        .setStyle(ProgressBarStyle.COLORFUL_UNICODE_BLOCK)
                        .setUpdateIntervalMillis((int) LOOK_AGAIN.toMillis())
                        .build()
                : null;
    }

    void stepTo(long bytes) {
        if (bar != null) {
            bar.stepTo(bytes);
        }
    }

    /** Shows a message behind the bar. */
    void say(String message) {
        if (bar != null) {
            bar.setExtraMessage(VisibleText.lines(message));
        }
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }
}
