package org.exomem.backend.command;

import java.util.function.LongConsumer;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.config.ConfigException;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;

/** An option with a size. */
final class SizeOption {
    private SizeOption() {}

    /** @param setter gets bytes */
    static void describe(Usage usage, String option, String text, LongConsumer setter) {
        usage.option(option, "SIZE", text, Completion.NOTHING, value -> setter.accept(bytes(option, value)));
    }

    /** @throws UsageException naming the option, if the text is no size */
    static long bytes(String option, String text) throws UsageException {
        try {
            return ByteSize.parse(text);
        } catch (ConfigException e) {
            throw new UsageException(option + ": " + e.getMessage());
        }
    }
}
