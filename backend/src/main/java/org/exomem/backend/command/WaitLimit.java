package org.exomem.backend.command;

import java.time.Duration;
import org.exomem.cli.options.UsageException;
import org.jspecify.annotations.Nullable;

/** {@code --timeout} of commands that have {@code --wait}. */
final class WaitLimit {
    /** Seconds. */
    static final int USUAL = 60;

    private WaitLimit() {}

    /**
     * How long to wait without any progress.
     *
     * @param timeout seconds, if they were said
     * @throws UsageException if they were said, and nothing is waited for
     */
    static Duration of(boolean wait, @Nullable Integer timeout) throws UsageException {
        if (timeout != null && !wait) {
            throw new UsageException("--timeout needs --wait");
        }
        return Duration.ofSeconds(timeout == null ? USUAL : timeout);
    }
}
