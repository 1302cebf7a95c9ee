package org.exomem.backend.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class RenamedTest {
    @Test
    void socketTakesThePlaceOfAnotherInItsFolder() {
        assertThat(new Renamed(Path.of("/run/a.2"), Path.of("/run/a")).to()).isEqualTo(Path.of("/run/a"));
    }

    @ParameterizedTest
    @CsvSource({"/run/a,/etc/a", "a,b", "/run/a,/run/a", "/run/x/../a,/run/x/b", "/run/a,/run/../etc/passwd", "/,/a"})
    void nothingElseIsRenamed(String from, String to) {
        assertThatIllegalArgumentException().isThrownBy(() -> new Renamed(Path.of(from), Path.of(to)));
    }
}
