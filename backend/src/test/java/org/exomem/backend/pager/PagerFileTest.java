package org.exomem.backend.pager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Random;
import org.exomem.images.Sha256;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PagerFileTest {
    private static final PagerRecord RECORD = new PagerRecord(
            "web \"1\"",
            Path.of("/images/web"),
            Sha256.of(new byte[] {1}),
            4711,
            Path.of("/run/web.qmp"),
            List.of(Path.of("/dev/shm/a"), Path.of("/dev/shm/b")));

    @TempDir
    private Path folder;

    @Test
    @Tag("PGR-AGAIN-3")
    void whatIsWrittenIsReadAgainByTheOwnerOnlyAndGoes() throws IOException {
        PagerFile file = new PagerFile(folder.resolve("web.pager.json"));
        file.write(RECORD);
        assertThat(file.read()).isEqualTo(RECORD);
        file.write(RECORD);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file.path())))
                .isEqualTo("rw-------");
        file.delete();
        assertThat(folder).isEmptyDirectory();
        assertThatThrownBy(file::read).hasMessageContaining("web.pager.json can't be used");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        "version": 1                 | "version": 2           | it has version 2
        "version": 1                 | "version": "1"         | it has version "1"
        "vm": "web \\"1\\""          | "vm": ""               | "vm" is not a string
        "vm": "web \\"1\\""          | "vm": 5                | "vm" is not a string
        "image": "/images/web"       | "image": "images"      | "image" is not an absolute path
        "image": "/images/web"       | "image": "/a\\u0000b"  | "image" is not a valid path
        "pid": 4711                  | "pid": -1              | "pid" is not a process id
        "pid": 4711                  | "pid": 4294967297      | "pid" is not a process id
        "pid": 4711                  | "pid": 1.5             | "pid" is not a process id
        "qmp": "/run/web.qmp"        | "qmp": null            | "qmp" is not a string
        "/dev/shm/a"                  | "a"                     | "ram" is not an absolute path
        "/dev/shm/a"                  | {}                      | "ram" is not a string
        "manifest": "                | "manifest": "x         | "manifest":
        "ram"                         | "rom"                   | "ram" is not a list
        {                             | [                       | it is not JSON
        """)
    void fileThatIsNoneIsRefusedAndLeft(String text, String by, String message) throws IOException {
        PagerFile file = new PagerFile(folder.resolve("web.pager.json"));
        String wrong = RECORD.toJson().replace(text.strip(), by.strip());
        assertThat(wrong).isNotEqualTo(RECORD.toJson());
        Files.writeString(file.path(), wrong);
        assertThatThrownBy(file::read)
                .isInstanceOf(IOException.class)
                .hasMessageContaining(message.strip())
                .hasMessageContaining("It is left unchanged");
        assertThat(file.path()).hasContent(wrong);
    }

    @Test
    void fileThatIsTooLargeOrNoPlainOneIsRefused() throws IOException {
        PagerFile file = new PagerFile(folder.resolve("web.pager.json"));
        Files.createSymbolicLink(file.path(), folder.resolve("other"));
        new PagerFile(folder.resolve("other")).write(RECORD);
        assertThatThrownBy(file::read).hasMessageContaining("not a regular file");
        Files.delete(file.path());
        Files.write(file.path(), new byte[3 << 20]);
        assertThatThrownBy(file::read).isInstanceOf(IOException.class);
    }

    @Test
    void whateverIsInItNothingElseThanAFailureComesOfIt() throws IOException {
        long seed = 20261129;
        Random random = new Random(seed);
        String good = RECORD.toJson();
        PagerFile file = new PagerFile(folder.resolve("web.pager.json"));
        for (int i = 0; i < 2000; i++) {
            StringBuilder text = new StringBuilder(good);
            for (int change = 0; change < 1 + random.nextInt(3); change++) {
                text.setCharAt(random.nextInt(text.length()), (char) random.nextInt(128));
            }
            text.setLength(random.nextInt(20) == 0 ? random.nextInt(text.length()) : text.length());
            Files.writeString(file.path(), text);
            try {
                file.read();
            } catch (IOException e) {
                assertThat(e).as("seed %s, round %s", seed, i).hasMessageContaining("It is left unchanged");
            }
        }
    }
}
