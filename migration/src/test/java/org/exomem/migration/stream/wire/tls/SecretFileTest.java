package org.exomem.migration.stream.wire.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files with keys and certificates come from users: an invalid file must not block the process. */
@Timeout(20)
class SecretFileTest {
    private static final String KEY = "exomem:" + "5a".repeat(32) + "\n";

    @TempDir
    Path folder;

    private Path secret(String content, String mode) throws IOException {
        Path file = Files.writeString(folder.resolve("secret"), content);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
        return file;
    }

    @Test
    void aKeyOfItsOwnerAloneIsRead() throws Exception {
        assertThat(PreSharedKey.of(secret(KEY, "rw-------")).identity()).isEqualTo("exomem");
    }

    @ParameterizedTest
    @Tag("STR-SEC-7")
    @ValueSource(strings = {"rw-r-----", "rw----r--", "rw--w----", "rw-rw-rw-"})
    void aKeyThatOthersCanReadOrChangeIsRefusedWithTheWayToMendIt(String mode) throws Exception {
        Path file = secret(KEY, mode);
        assertThatThrownBy(() -> PreSharedKey.of(file)).hasMessageEndingWith("chmod 600 " + file);
        assertThatThrownBy(() -> PemFile.privateKey(file)).hasMessageEndingWith("chmod 600 " + file);
    }

    @Test
    @Tag("STR-SEC-6")
    void aFifoIsRefusedAtOnce() throws Exception {
        Path fifo = folder.resolve("fifo");
        assertThat(new ProcessBuilder("mkfifo", "-m", "600", fifo.toString())
                        .start()
                        .waitFor(10, TimeUnit.SECONDS))
                .isTrue();
        assertThatThrownBy(() -> PreSharedKey.of(fifo)).hasMessage(fifo + " is not a regular file");
        assertThatThrownBy(() -> PemFile.privateKey(fifo)).hasMessage(fifo + " is not a regular file");
        assertThatThrownBy(() -> PemFile.certificates(fifo)).hasMessage(fifo + " is not a regular file");
    }

    @Test
    @Tag("STR-SEC-6")
    void aDeviceAndAFolderAreRefused() {
        Path zeros = Path.of("/dev/zero");
        assertThatThrownBy(() -> PreSharedKey.of(zeros)).hasMessage("/dev/zero is not a regular file");
        assertThatThrownBy(() -> PemFile.certificates(zeros)).hasMessage("/dev/zero is not a regular file");
        assertThatThrownBy(() -> PreSharedKey.of(folder)).hasMessage(folder + " is not a regular file");
    }

    @Test
    @Tag("STR-SEC-6")
    void aFileAboveTheLimitIsRefused() throws Exception {
        Path atTheLimit = secret(KEY + " ".repeat((1 << 16) - KEY.length()), "rw-------");
        assertThat(PreSharedKey.of(atTheLimit).identity()).isEqualTo("exomem");
        Path above = secret(KEY + " ".repeat((1 << 16) - KEY.length() + 1), "rw-------");
        assertThatThrownBy(() -> PreSharedKey.of(above)).hasMessage(above + " is larger than 65536 bytes");
    }

    @Test
    void aFileThatIsNotThereIsToldWithWhatMakesIt() {
        assertThatThrownBy(() -> PemFile.privateKey(folder.resolve("none")))
                .hasMessage("there is no file " + folder.resolve("none") + "; \"exomem pki init\" makes it");
    }
}
