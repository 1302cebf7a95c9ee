package org.exomem.migration.stream.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.exomem.migration.StreamFault;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class PreambleTest {
    @Test
    @Tag("STR-PRE-1")
    void everyFieldIsAtItsPlace() {
        UUID migration = UUID.fromString("00112233-4455-6677-8899-aabbccddeeff");
        ByteBuffer bytes = new Preamble(3, 2, Preamble.Role.DATA, 5, 6, 7, migration, 8, 9)
                .encode()
                .order(ByteOrder.LITTLE_ENDIAN);
        assertThat(bytes.remaining()).isEqualTo(64);
        byte[] all = bytes.array();
        assertThat(new String(all, 0, 8, StandardCharsets.US_ASCII)).isEqualTo("exomemmg");
        assertThat(new short[] {bytes.getShort(8), bytes.getShort(10), bytes.getShort(12), bytes.getShort(14)})
                .containsExactly(3, 2, 1, 5);
        assertThat(new long[] {bytes.getLong(16), bytes.getLong(24), bytes.getLong(48)})
                .containsExactly(6, 7, 8);
        for (int i = 0; i < 16; i++) {
            assertThat(all[32 + i]).isEqualTo((byte) (i * 0x11));
        }
        assertThat(bytes.getInt(56)).isEqualTo(9);
        CRC32C crc = new CRC32C();
        crc.update(all, 0, 60);
        assertThat(bytes.getInt(60)).isEqualTo((int) crc.getValue());
    }

    @Test
    @Tag("STR-RES-3")
    void phasesHaveTheNumbersOfTheSpecification() throws StreamFault {
        assertThat(Phase.of(0)).isEqualTo(Phase.RECEIVING);
        assertThat(Phase.of(1)).isEqualTo(Phase.READY);
        assertThat(Phase.of(2)).isEqualTo(Phase.RUNNING);
        for (Phase phase : Phase.values()) {
            assertThat(Phase.of(phase.number())).isEqualTo(phase);
        }
        assertThatThrownBy(() -> Phase.of(3)).isInstanceOf(StreamFault.class).hasMessageContaining("phase 3");
        assertThatThrownBy(() -> Phase.of(-1)).isInstanceOf(StreamFault.class);
    }
}
