package org.exomem.backend.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;
import org.exomem.backend.config.ConfigFile;
import org.exomem.backend.config.DeviceOption;
import org.exomem.backend.config.ServeConfig;
import org.junit.jupiter.api.Test;

/** {@code docs/options.md} describes each option as the program does. */
class OptionsDocumentTest {
    @Test
    void namesEveryOptionOfDevicesWithItsDefault() throws IOException {
        assertThat(table("## Options of a balloon")).isEqualTo(rows(ServeConfig.balloonOptions()));
        assertThat(table("## Options of a memory device")).isEqualTo(rows(ServeConfig.memoryOptions()));
    }

    @Test
    void namesEveryKeyOfTheFile() throws IOException {
        assertThat(table("## The file"))
                .extracting(row -> row.split("`", -1)[1])
                .containsExactlyElementsOf(ConfigFile.KEYS);
    }

    @Test
    void namesEveryOptionOfServe() throws IOException {
        String help = Ran.of("serve", "--help").out();
        String options = String.join("\n", table("## Options of serve"));
        Pattern.compile("^ +(--[a-z-]+)[= \n]", Pattern.MULTILINE)
                .matcher(help)
                .results()
                .map(found -> found.group(1))
                .forEach(option -> assertThat(options).contains("| `" + option));
    }

    private static List<String> rows(List<DeviceOption> options) {
        return options.stream()
                .map(option -> "| `" + option.name() + "=" + option.value().replace("|", "\\|") + "` | "
                        + option.description() + " | " + option.standard() + " |")
                .toList();
    }

    /** The rows of the first table below a heading. */
    private static List<String> table(String heading) throws IOException {
        Path folder = Path.of("").toAbsolutePath();
        while (!Files.isDirectory(folder.resolve("docs"))) {
            folder = Objects.requireNonNull(folder.getParent());
        }
        List<String> lines = Files.readAllLines(folder.resolve("docs/options.md"));
        return lines.stream()
                .skip(lines.indexOf(heading) + 1L)
                .takeWhile(line -> !line.startsWith("## "))
                .filter(line -> line.startsWith("| `"))
                .toList();
    }
}
