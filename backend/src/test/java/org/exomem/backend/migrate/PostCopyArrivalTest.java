package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.UUID;
import org.exomem.migration.stream.destination.BegunMigration;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PostCopyArrivalTest {
    private static final PostCopyArrival ARRIVAL = new PostCopyArrival(
            "web",
            new BegunMigration(
                    UUID.fromString("7c0e1f6a-5a4e-4f4e-8f64-0b7a54b7a001"),
                    "192.0.2.1:40000",
                    new MemoryDescription(4096, List.of(new MemoryDescription.MemoryFile("ram", 1 << 20, 4096))),
                    3),
            MigrationAddress.parse("hostb:7000"),
            new KeyFiles(Optional.of(Path.of("/etc/exomem/pki/hostb")), Optional.empty()),
            false,
            Duration.ofSeconds(60),
            4711,
            Path.of("/run/web.qmp"),
            List.of(Path.of("/dev/shm/web.ram")),
            new MovedDevices(Map.of(), Map.of(), OptionalLong.of(1 << 19), true),
            true);

    @Test
    @Tag("STR-PST-9")
    void whatIsWrittenIsRead() throws IOException {
        assertThat(PostCopyArrival.of(ARRIVAL.toBytes())).isEqualTo(ARRIVAL);
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '\0',
            value = {
                "\"version\": 1,        \"version\": 2,         it has version 2",
                "\"version\": 1,        \"version\": \"1\",       it has version",
                "\"vm\": \"web\",         \"vm\": \"\",             \"vm\" is not a string",
                "7c0e1f6a-,             xyz,                    it is invalid",
                "\"rounds\": 3,         \"rounds\": -3,         \"rounds\" is not a number",
                "\"pid\": 4711,         \"pid\": 4711000000000, it is invalid",
                "/run/web.qmp,          web.qmp,                is not an absolute path",
                "/dev/shm/web.ram,      ../web.ram,             is not an absolute path",
                "\"size\": 1048576,     \"size\": 1048577,      it is invalid",
                "\"running\": true,     \"running\": 1,         did not report whether its guest was running",
                "{,                     [,                      it is not",
            })
    void whatMakesNoSenseIsRefusedWithTheReason(String part, String other, String why) throws IOException {
        String text = new String(ARRIVAL.toBytes(), StandardCharsets.UTF_8);
        assertThat(text).contains(part.strip());
        byte[] changed = text.replace(part.strip(), other.strip()).getBytes(StandardCharsets.UTF_8);
        assertThatThrownBy(() -> PostCopyArrival.of(changed))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(why.strip());
    }

    /** Any content causes an {@link IOException}, or is read. */
    @Test
    void damagedBytesAreRefusedOrRead() throws IOException {
        byte[] bytes = ARRIVAL.toBytes();
        SplittableRandom random = new SplittableRandom(11);
        for (int i = 0; i < 20_000; i++) {
            byte[] damaged = bytes.clone();
            for (int n = random.nextInt(1, 4); n > 0; n--) {
                damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
            }
            try {
                PostCopyArrival.of(damaged);
            } catch (IOException e) {
                assertThat(e).as("change %d", i).hasMessageNotContaining("Exception");
            }
        }
    }
}
