package org.exomem.backend.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.exomem.vhostuser.linux.Mapping;
import org.exomem.vhostuser.linux.SharedFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SharedMappingsTest {
    /** More than anything else in this JVM maps to share. */
    private static final long SIZE = 1L << 40;

    private static SharedMappings now() throws IOException {
        return SharedMappings.of("self");
    }

    @Test
    void fileThatIsMappedIsFoundAndMissedWhenAnotherIsMappedInItsPlace(@TempDir Path folder) throws IOException {
        try (SharedFile file = SharedFile.create(folder.resolve("ram"), SIZE);
                SharedFile other = SharedFile.create(folder.resolve("other"), SIZE)) {
            String name = SharedMappings.nameOf(file);
            assertThat(SharedMappings.nameOf(other)).isNotEqualTo(name);
            assertThat(now().hasAnotherThan(name, SIZE)).isFalse();
            // In two parts, as some VMMs map it.
            try (Mapping low = Mapping.of(other, 0, SIZE / 4);
                    Mapping high = Mapping.of(other, SIZE / 4, SIZE - SIZE / 4)) {
                assertThat(low.segment().byteSize()).isLessThan(high.segment().byteSize());
                assertThat(now().hasAnotherThan(name, SIZE)).isTrue();
                assertThat(now().hasAnotherThan(name, SIZE + 1)).isFalse();
                try (Mapping part = Mapping.of(file, 0, 4096)) {
                    assertThat(part.segment().byteSize()).isEqualTo(4096);
                    assertThat(now().hasAnotherThan(name, SIZE)).isFalse();
                }
            }
        }
    }

    @Test
    void processThatHasGoneHasNoMappings() {
        assertThatThrownBy(() -> SharedMappings.of("0")).isInstanceOf(NoSuchFileException.class);
    }
}
