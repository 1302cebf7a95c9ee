package org.exomem.vmm;

import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Our own driver for Linux: does all that Linux's does, and tells free pages as bitmaps. A warning of the kernel fails a test. */
final class LinuxDriverTest extends BalloonedGuestTest {

    @Override
    String driver() {
        return "exomem_balloon";
    }

    @Override
    Set<String> features() {
        return Set.of("must-tell-host", "statistics", "free-page-hint", "free-page-reporting", "free-page-bitmap");
    }

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    void nearlyAllFreeMemoryIsToldAsABitmap(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start("a,free-page-reporting=off");
                Qemu qemu = start(backEnd, guest(backEnd, linux))) {
            BalloonControl balloon = backEnd.balloon("a");
            for (int i = 0; i < 5; i++) {
                long free = qemu.guest().memory().free();
                balloon.askForFreePages();
                JsonNode answer = awaitAnswer(balloon);
                System.out.println(answer + " " + free + " "
                        + qemu.guest().run("cd /sys/bus/virtio/devices/virtio0/free_page_bitmap && grep . *"));
                if (i == 2) {
                    qemu.guest().run("memeat fill a 1024 3");
                }
            }
        }
    }

    private static JsonNode awaitAnswer(BalloonControl balloon) {
        return await().atMost(Duration.ofSeconds(20))
                .pollInterval(Duration.ofMillis(5))
                .until(balloon::bitmap, answer -> answer.path("state").asText().equals("complete"));
    }
}
