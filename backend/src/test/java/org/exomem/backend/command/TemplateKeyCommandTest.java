package org.exomem.backend.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.exomem.cli.options.ExitCode;
import org.exomem.images.signature.CheckingKey;
import org.exomem.images.signature.SigningKey;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TemplateKeyCommandTest {
    @TempDir
    private Path above;

    @Test
    void keysAreMadeOnceAndFitTogether() throws IOException {
        Path folder = above.resolve("keys");
        Ran ran = Ran.of("template", "key", folder.toString());

        assertThat(ran.err()).isEmpty();
        assertThat(ran.code()).isZero();
        CheckingKey open = CheckingKey.read(folder.resolve("template-key.pub"));
        assertThat(ran.out()).contains("keep it secret", open.fingerprint().hex());
        Path secret = folder.resolve("template-key.pem");
        assertThat(SigningKey.read(secret).check().fingerprint()).isEqualTo(open.fingerprint());
        byte[] before = Files.readAllBytes(secret);
        Ran again = Ran.of("template", "key", folder.toString());
        assertThat(again.code()).isEqualTo(ExitCode.FAILED);
        assertThat(again.err()).contains("not overwritten");
        assertThat(Files.readAllBytes(secret)).isEqualTo(before);
    }
}
