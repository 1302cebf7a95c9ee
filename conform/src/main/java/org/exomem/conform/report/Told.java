package org.exomem.conform.report;

import java.util.HexFormat;
import java.util.Locale;
import org.exomem.conform.wire.Transcript;
import org.exomem.reference.Catalogue;
import org.exomem.reference.Requirement;

/** Texts that all reports share. */
final class Told {
    /** The largest number of bytes of a message that are shown. */
    private static final int BYTES = 64;

    private static final double NANOS_IN_A_SECOND = 1e9;
    private static final double NANOS_IN_A_MILLISECOND = 1e6;

    private Told() {}

    /**
     * The requirement with its strength, the party that it binds, and its section; only the id if the catalogue does
     * not have it.
     */
    static String requirement(Catalogue catalogue, String id) {
        return catalogue
                .byId(id)
                .map(requirement -> requirement.strength() + ", " + requirement.binds() + ": " + requirement.statement()
                        + " (" + where(catalogue, requirement) + ")")
                .orElse(id);
    }

    /** The document and section. */
    static String where(Catalogue catalogue, Requirement requirement) {
        return catalogue.documentOf(requirement).source().title() + ", " + requirement.section();
    }

    /** A line of a transcript: time, text, and a message's bytes. */
    static String line(Transcript.Line line) {
        String time = String.format(Locale.ROOT, "%8.1f ms  ", line.nanos() / NANOS_IN_A_MILLISECOND);
        return line.bytes().length == 0 ? time + line.text() : time + line.text() + "  [" + hex(line.bytes()) + "]";
    }

    /** The first bytes of a message, in groups of four. */
    static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (int at = 0; at < Math.min(bytes.length, BYTES); at += 4) {
            text.append(at == 0 ? "" : " ").append(HexFormat.of().formatHex(bytes, at, Math.min(at + 4, bytes.length)));
        }
        return bytes.length > BYTES ? text + " … " + bytes.length + " bytes" : text.toString();
    }

    static String seconds(long nanos) {
        return String.format(Locale.ROOT, "%.3f", nanos / NANOS_IN_A_SECOND);
    }
}
