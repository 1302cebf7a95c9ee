package org.exomem.backend.control;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import org.exomem.backend.qmp.Json;

/** The version of exomem. The build writes it into a file beside this class. 0.0.0 without that file. */
public record Version(int major, int minor, int micro) {
    private static final Version CURRENT = read();

    public static Version current() {
        return CURRENT;
    }

    private static Version read() {
        try (InputStream file = Version.class.getResourceAsStream("version.txt")) {
            return file == null ? parse("") : parse(new String(file.readAllBytes(), StandardCharsets.UTF_8).strip());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Version parse(String text) {
        if (!text.matches("\\d{1,6}\\.\\d{1,6}\\.\\d{1,6}")) {
            return new Version(0, 0, 0);
        }
        String[] numbers = text.split("\\.", -1);
        return new Version(Integer.parseInt(numbers[0]), Integer.parseInt(numbers[1]), Integer.parseInt(numbers[2]));
    }

    /** The format in {@code query-version} and the greeting. Clients of QMP look for the name "qemu". */
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
