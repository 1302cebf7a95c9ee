package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The metrics of a real Linux guest. */
@RealGuest
class MeasuredGuestTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = BalloonedGuestTest.RAM;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @TempDir
    Path folder;

    @Test
    void metricsFollowAGuestThatInflatesAndTellWhatItSays() throws IOException {
        Path socket = folder.resolve("metrics");
        try (BackEnd backEnd = BackEnd.start(
                        List.of("a,stats-interval=1"), List.of(), List.of("--metrics", "unix:" + socket));
                Qemu qemu = BalloonedGuestTest.start(
                        backEnd,
                        QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                                .ram(RAM)
                                .driver("virtio_balloon")
                                .vhostUserBalloon(backEnd.socket("a")))) {
            assertThat(value(socket, "exomem_balloon_memory_bytes{vm=\"a\"}")).isEqualTo(RAM);
            assertThat(value(socket, "exomem_balloon_inflated_bytes{vm=\"a\"}")).isZero();
            await().atMost(LIMIT)
                    .untilAsserted(() -> assertThat(value(socket, "exomem_guest_free_memory_bytes{vm=\"a\"}"))
                            .isCloseTo(qemu.guest().memory().free(), within((double) BalloonedGuestTest.NOISE)));

            backEnd.balloon("a").resize(RAM - 512 * MIB);
            BalloonedGuestTest.awaitActual(backEnd, RAM - 512 * MIB);
            assertThat(value(socket, "exomem_balloon_target_bytes{vm=\"a\"}")).isEqualTo(RAM - 512 * MIB);
            assertThat(value(socket, "exomem_balloon_actual_bytes{vm=\"a\"}")).isEqualTo(RAM - 512 * MIB);
            assertThat(value(socket, "exomem_balloon_inflated_bytes{vm=\"a\"}")).isEqualTo(512 * MIB);
            assertThat(value(socket, "exomem_vm_host_resident_bytes{vm=\"a\"}"))
                    .isCloseTo(qemu.ram().allocated(), within((double) BalloonedGuestTest.NOISE));
            assertThat(backEnd.command("health")).isEqualTo("ok\n");
        }
    }

    /** NaN if the series is missing. */
    private static double value(Path socket, String series) throws IOException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(socket));
            channel.write(ByteBuffer.wrap("GET /metrics HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII)));
            StringBuilder answer = new StringBuilder();
            ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
            while (channel.read(buffer) >= 0) {
                answer.append(StandardCharsets.UTF_8.decode(buffer.flip()));
                buffer.clear();
            }
            return answer.toString()
                    .lines()
                    .filter(line -> line.startsWith(series + " "))
                    .findFirst()
                    .map(line -> Double.parseDouble(line.substring(series.length() + 1)))
                    .orElse(Double.NaN);
        }
    }
}
