package org.exomem.backend.control;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class VersionTest {
    /** It was 0.0.0 in a release whose classes had moved to another jar. */
    @Test
    void versionIsTheOneThatTheBuildHas() {
        assertThat(Version.current()).isNotEqualTo(new Version(0, 0, 0));
    }
}
