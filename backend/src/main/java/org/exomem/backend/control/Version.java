package org.exomem.backend.control;

import com.fasterxml.jackson.databind.node.ObjectNode;
import org.exomem.backend.qmp.Json;
import org.jspecify.annotations.Nullable;

/** The version of exomem, as the build wrote it into the jar; 0.0.0 outside of one. */
public record Version(int major, int minor, int micro) {
    private static final Version CURRENT = parse(Version.class.getPackage().getImplementationVersion());

    public static Version current() {
        return CURRENT;
    }

    private static Version parse(@Nullable String text) {
        if (text == null || !text.matches("\\d{1,6}\\.\\d{1,6}\\.\\d{1,6}")) {
            return new Version(0, 0, 0);
        }
        String[] numbers = text.split("\\.", -1);
        return new Version(Integer.parseInt(numbers[0]), Integer.parseInt(numbers[1]), Integer.parseInt(numbers[2]));
    }

    /** As {@code query-version} and the greeting tell it: clients of QMP look for it under the name "qemu". */
    ObjectNode describe() {
        ObjectNode version = Json.object();
        version.putObject("qemu").put("major", major).put("minor", minor).put("micro", micro);
        return version.put("package", "exomem " + this);
    }

    @Override
    public String toString() {
        return major + "." + minor + "." + micro;
    }
}
