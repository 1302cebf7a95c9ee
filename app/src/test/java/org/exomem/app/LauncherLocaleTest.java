package org.exomem.app;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The launcher and file names outside of ASCII, with a substitute for the JVM that prints how it was started. */
class LauncherLocaleTest {
    @TempDir
    Path folder;

    @Test
    void fileNamesOutsideOfAsciiWorkWhereTheLocaleIsNotUtf8() throws Exception {
        assertThat(launch("C")).isEqualTo("C.UTF-8 serve --config größe.yaml\n");
    }

    @Test
    void aLocaleThatIsUtf8Stays() throws Exception {
        assertThat(launch("C.utf8")).isEqualTo("C.utf8 serve --config größe.yaml\n");
    }

    @Test
    void aLocaleThatIsNotInstalledCountsAsNone() throws Exception {
        // Bash may print a warning before.
        assertThat(launch("xx_XX.UTF-8")).endsWith("C.UTF-8 serve --config größe.yaml\n");
    }

    private String launch(String locale) throws Exception {
        // The JVM of the test itself can name such a file only in a locale that has its letters.
        assumeTrue("UTF-8".equals(System.getProperty("sun.jnu.encoding")));
        Path home = Files.createDirectories(folder.resolve("räume"));
        Path launcher = Files.copy(repository().resolve("exomem"), home.resolve("exomem"));
        Files.createDirectories(home.resolve("packaging"));
        Files.copy(repository().resolve("packaging/jvm"), home.resolve("packaging/jvm"));
        Path target = Files.createDirectories(home.resolve("app/target"));
        Path java = Files.createDirectories(home.resolve("jdk/bin")).resolve("java");
        Files.writeString(java, """
            #!/usr/bin/env bash
            while [ "$1" != serve ]; do shift; done
            echo "$LC_ALL $*"
            """);
        Files.setPosixFilePermissions(java, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.writeString(target.resolve("exomem.jar"), "no jar");
        Files.writeString(target.resolve("exomem.java-home"), home.resolve("jdk") + "\n");
        ProcessBuilder builder = new ProcessBuilder(launcher.toString(), "serve", "--config", "größe.yaml");
        builder.environment().put("LC_ALL", locale);
        builder.environment().put("EXOMEM_NO_BUILD", "1");
        Process process = builder.redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
        return said;
    }

    private static Path repository() {
        Path at = Path.of("").toAbsolutePath();
        while (!Files.exists(at.resolve("exomem"))) {
            at = Objects.requireNonNull(at.getParent(), "no repository above");
        }
        return at;
    }
}
