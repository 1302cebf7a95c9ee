package org.exomem.app;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ManPagesTest {
    @TempDir
    Path folder;

    @Test
    void eachCommandHasAPageThatRendersWithoutWarnings() throws Exception {
        ManPages.main(new String[] {folder.toString(), "2026-01-01"});
        List<String> pages;
        try (Stream<Path> all = Files.list(folder)) {
            pages = all.map(Path::toString).sorted().toList();
        }
        assertThat(pages)
                .contains(
                        folder.resolve("exomem.1").toString(),
                        folder.resolve("exomem-serve.1").toString(),
                        folder.resolve("exomem-pki-init.1").toString(),
                        folder.resolve("exomem-conform.1").toString());
        assertThat(Files.readString(folder.resolve("exomem-mem.1")))
                .contains("\\-\\-wait")
                .doesNotContain("--");
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/groff")), "groff is not installed");
        List<String> command = new ArrayList<>(List.of("groff", "-man", "-Kutf8", "-Tutf8", "-ww", "-z"));
        for (String page : pages) {
            List<String> one = new ArrayList<>(command);
            one.add(page);
            Process process = new ProcessBuilder(one).redirectErrorStream(true).start();
            assertThat(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                    .isEmpty();
        }
    }
}
