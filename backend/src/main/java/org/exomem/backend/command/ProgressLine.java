package org.exomem.backend.command;

import java.time.Duration;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.exomem.cli.text.VisibleText;
import org.jspecify.annotations.Nullable;

/** A bar on a terminal, nothing elsewhere. */
final class ProgressLine implements AutoCloseable {
    /** Events tell of progress at most once in a second; a bar shall move more smoothly. */
    static final Duration LOOK_AGAIN = Duration.ofMillis(200);

    private static final long MIB = 1 << 20;

    private final @Nullable ProgressBar bar;

    /** A bar for so many bytes; none where nobody looks. */
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

    /** Says something behind the bar. */
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
