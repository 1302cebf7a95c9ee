package org.exomem.linux;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class HostRamTest {
    @Test
    void theTotalIsReadWhereverItsLineIs() {
        String meminfo = "MemFree:        12 kB\nMemTotal:       24603284 kB\nBuffers:  5 kB\n";

        assertThat(HostRam.total(meminfo)).isEqualTo(24603284L * 1024);
    }

    @Test
    void aKernelThatDoesNotTellSetsNoLimit() {
        assertThat(HostRam.total("MemFree: 12 kB\n")).isGreaterThan(1L << 60);
    }

    @Test
    void thisHostHasMemory() {
        assertThat(HostRam.bytes()).isBetween(1L << 24, 1L << 50);
    }
}
