package org.exomem.backend.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ByteSizeTest {
    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "4096, 4096",
        "4096B, 4096",
        "1K, 1024",
        "512M, 536870912",
        "512MiB, 536870912",
        "512 mib, 536870912",
        "2g, 2147483648",
        "1.5GiB, 1610612736",
        "0.3K, 307",
        "1T, 1099511627776",
        "7P, 7881299347898368",
        "9223372036854775807, 9223372036854775807",
    })
    void unitsArePowersOf1024(String text, long bytes) throws ConfigException {
        assertThat(ByteSize.parse(text)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "G", "-1G", "1X", "1GG", "one", "1,5G", "1e9", "0x10", " 1G", "1.G"})
    void otherWordsAreNoSize(String text) {
        assertThatThrownBy(() -> ByteSize.parse(text))
                .isInstanceOf(ConfigException.class)
                .hasMessage("\"" + text + "\" is not a size; write it like 512M, 2G or 1.5GiB");
    }

    @Test
    void ambiguousUnitIsRefusedWithTheRightOnes() {
        assertThatThrownBy(() -> ByteSize.parse("512MB"))
                .hasMessage("\"512MB\" could mean powers of 1000 or of 1024; write 512M or 512MiB for powers of 1024");
    }

    @ParameterizedTest
    @ValueSource(strings = {"9223372036854775808", "8192P", "9999999999999999999P"})
    void sizesBeyondALongAreRefused(String text) {
        assertThatThrownBy(() -> ByteSize.parse(text)).hasMessage("\"" + text + "\" is too large for a size of memory");
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0 B",
        "1023, 1023 B",
        "1024, 1 KiB",
        "1536, 1.5 KiB",
        "536870912, 512 MiB",
        "2147483648, 2 GiB",
        "-1048576, -1 MiB",
        "9223372036854775807, 8192.0 PiB",
        "-9223372036854775808, -8192.0 PiB",
    })
    void sizesAreShownInTheLargestUnitThatFits(long bytes, String text) {
        assertThat(ByteSize.format(bytes)).isEqualTo(text);
    }
}
