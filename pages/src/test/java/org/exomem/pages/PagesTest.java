package org.exomem.pages;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PagesTest {
    @Test
    void bytesBecomeWholePagesDownAndUp() {
        assertThat(Pages.bytes(3)).isEqualTo(12288);
        assertThat(Pages.floor(12287)).isEqualTo(2);
        assertThat(Pages.ceil(12287)).isEqualTo(3);
        assertThat(Pages.floor(12288)).isEqualTo(3);
        assertThat(Pages.ceil(12288)).isEqualTo(3);
        assertThat(Pages.isWhole(12288)).isTrue();
        assertThat(Pages.isWhole(12287)).isFalse();
    }

    @Test
    void addressesAtTheEndOfTheAddressSpaceDoNotWrap() {
        assertThat(Pages.floor(-1)).isEqualTo((1L << 52) - 1);
        assertThat(Pages.ceil(-1)).isEqualTo(1L << 52);
    }
}
