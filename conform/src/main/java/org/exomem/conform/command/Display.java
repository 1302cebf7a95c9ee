package org.exomem.conform.command;

import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.exomem.conform.check.Check;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.Runner;
import org.jspecify.annotations.Nullable;

/** The progress of a run: a bar on a terminal, nothing elsewhere. */
final class Display implements Runner.Progress, AutoCloseable {
    private final String task;
    private @Nullable ProgressBar bar;
    private int bad;

    /** @param task the units of progress: "checks" */
    Display(String task) {
        this.task = task;
    }

    /** Begins, with the number of units. */
    void begin(long of) {
        if (bar == null && System.console() != null && System.console().isTerminal()) {
            bar = new ProgressBarBuilder()
                    .setTaskName(task)
                    .setInitialMax(of)
                    .setStyle(ProgressBarStyle.COLORFUL_UNICODE_BLOCK)
                    .build();
        }
    }

    /** Counts one more unit as done. */
    void step() {
        if (bar != null) {
            bar.step();
        }
    }

    @Override
    public void begins(Check check, int number, int of) {
        begin(of);
        if (bar != null) {
            bar.setExtraMessage((bad == 0 ? "" : bad + " bad ") + check.requirement());
        }
    }

    @Override
    public void ended(CheckResult result) {
        bad += result.verdict().isGood() ? 0 : 1;
        step();
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }
}
