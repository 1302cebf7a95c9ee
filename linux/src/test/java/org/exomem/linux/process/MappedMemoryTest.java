package org.exomem.linux.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

final class MappedMemoryTest {
    private static final String SMAPS = """
            7f0000000000-7f0040000000 rw-p 00000000 00:1a 1234                       /dev/shm/x y
            Size:            1048576 kB
            Rss:                 100 kB
            Anonymous:            40 kB
            VmFlags: rd wr mr mw me ac sd
            7f0040000000-7f0050000000 rw-p 00000000 00:1a 12345                      /dev/shm/z
            Rss:                   7 kB
            Anonymous:             7 kB
            7f0060000000-7f0070000000 rw-p 40000000 00:1a 1234                       /dev/shm/x y
            Rss:                   8 kB
            Anonymous:             0 kB
            """;

    @Test
    void allMappingsOfTheFileCountAndNoOthers() throws Exception {
        assertThat(MappedMemory.parse(ProcessLines.of(SMAPS), List.of("00:1a 1234")))
                .isEqualTo(new MappedMemory(108 << 10, 40 << 10));
        assertThat(MappedMemory.parse(ProcessLines.of(SMAPS), List.of())).isEqualTo(new MappedMemory(0, 0));
    }
}
