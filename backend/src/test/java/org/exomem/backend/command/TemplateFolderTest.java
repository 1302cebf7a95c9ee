package org.exomem.backend.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.exomem.cli.options.ExitCode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code --templates}: a folder that was mistyped. */
class TemplateFolderTest {
    @TempDir
    private Path folder;

    @Test
    void aFolderThatIsNotThereHasNoTemplatesToList() throws IOException {
        Path none = folder.resolve("none");
        Ran ran = Ran.of("template", "list", "--templates", none.toString());
        assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
        assertThat(ran.err().strip()).isEqualTo("exomem: there is no folder " + none);
        Path file = Files.writeString(folder.resolve("file"), "");
        assertThat(Ran.of("template", "list", "--templates", file.toString()).err())
                .contains("there is no folder " + file + ": it is a file");
        assertThat(Ran.of("template", "list", "--templates", folder.toString()).code())
                .isZero();
    }

    @Test
    void onlyTheLastFolderOfAPathIsMade() {
        Path deep = folder.resolve("no/such");
        Ran ran = Ran.of("template", "create", "web", "t", "--templates", deep.toString());
        assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
        assertThat(ran.err()).contains("exomem creates only the last folder of a path");
        assertThat(deep.getParent()).doesNotExist();
    }

    @Test
    void aTemplateThatIsNotThereIsToldAlikeByAll() {
        for (String command : new String[] {"check", "remove"}) {
            Ran ran = Ran.of("template", command, "nope", "--templates", folder.toString());
            assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
            assertThat(ran.err().strip())
                    .isEqualTo("exomem: there is no template \"nope\" in " + folder
                            + "; \"exomem template list\" lists all templates");
        }
    }
}
