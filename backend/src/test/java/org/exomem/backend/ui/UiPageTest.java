package org.exomem.backend.ui;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The page in a real browser: headless Chromium, driven by Playwright, which {@code tests/ui/setup} installs. */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class UiPageTest {
    @TempDir
    Path folder;

    private static Path playwright() {
        String cache = Optional.ofNullable(System.getenv("EXOMEM_CACHE"))
                .or(() -> Optional.ofNullable(System.getenv("XDG_CACHE_HOME")).map(of -> of + "/exomem"))
                .orElse(System.getProperty("user.home") + "/.cache/exomem");
        return Path.of(cache, "ui", "node_modules", "playwright-core");
    }

    private static Optional<Path> program(String name) {
        for (String path : System.getenv("PATH").split(":", -1)) {
            Path file = Path.of(path, name);
            if (Files.isExecutable(file)) {
                return Optional.of(file);
            }
        }
        return Optional.empty();
    }

    @Test
    void aVmIsOpenedAndZoomedAndItsMigrationWatchedToItsEnd() throws Exception {
        Optional<Path> chromium = program("chromium");
        Optional<Path> node = program("node");
        if (chromium.isEmpty() || node.isEmpty() || !Files.isDirectory(playwright())) {
            String missing = "there is no chromium, node or playwright-core: tests/ui/setup gets them";
            if ("true".equals(System.getenv("CI"))) {
                throw new AssertionError(missing);
            }
            abort(missing);
            return;
        }
        Path script = folder.resolve("page.js");
        try (InputStream content = UiPageTest.class.getResourceAsStream("page.js")) {
            Files.copy(content, script);
        }
        try (UiHosts hosts = new UiHosts(folder)) {
            hosts.guest.work(60 * UiHosts.MIB, 10 * UiHosts.MIB);
            Process browser = new ProcessBuilder(
                            node.get().toString(),
                            script.toString(),
                            playwright().toString(),
                            chromium.get().toString(),
                            hosts.url(),
                            folder.toString())
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try (BufferedReader says = browser.inputReader(StandardCharsets.UTF_8);
                    OutputStream told = browser.getOutputStream()) {
                assertThat(says.readLine()).isEqualTo("vms 1");
                assertThat(says.readLine())
                        .startsWith("map Map of the memory of vm: ")
                        .contains("MiB used");
                assertThat(says.readLine()).isEqualTo("zoomed");
                hosts.migrate(10 * UiHosts.MIB);
                told.write("begun\n".getBytes(StandardCharsets.UTF_8));
                told.flush();
                assertThat(says.readLine()).startsWith("watched ").contains("done in");
                assertThat(says.readLine()).isEqualTo("done");
                assertThat(browser.waitFor()).isZero();
            } finally {
                end(browser);
            }
        }
    }

    private static void end(Process browser) throws IOException {
        browser.descendants().forEach(ProcessHandle::destroyForcibly);
        browser.destroyForcibly();
    }
}
