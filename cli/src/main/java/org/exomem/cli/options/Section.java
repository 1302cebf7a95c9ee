package org.exomem.cli.options;

import java.util.List;
import java.util.Map;

/**
 * Lines of a help below the options, shown unchanged: at most 80 columns wide.
 *
 * @param heading without a colon
 */
public record Section(String heading, List<String> lines) {
    /** Two columns; the second is wrapped. */
    public static Section ofRows(String heading, Map<String, String> rows) {
        return new Section(heading, PicocliSpec.rows(rows));
    }
}
