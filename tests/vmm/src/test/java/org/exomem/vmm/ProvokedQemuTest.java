package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.time.Duration;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.strict.serve.Provocation;
import org.exomem.conform.trial.DeviceType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@RealGuest
final class ProvokedQemuTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 256 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(3);

    @ParameterizedTest
    @EnumSource(Provocation.class)
    void explore(Provocation what) throws IOException {
        String s = "";
        try (StrictRun strict = StrictRun.of(DeviceType.BALLOON, what)) {
            try (Qemu qemu = Qemu.start(QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                    .ram(RAM)
                    .driver("virtio_balloon")
                    .vhostUserBalloon(strict.socket(), 5))) {
                try {
                    s += "booted;";
                    await().atMost(LIMIT).until(strict::isScriptDone);
                    s += "script done;";
                    s += "alive " + qemu.isAlive();
                    qemu.qmp().execute("stop");
                    s += "stopped;";
                    qemu.qmp().execute("query-status");
                    if (what == Provocation.CONFIG_CHANGE_WHILE_STOPPED) s += "ended " + qemu.hasEnded();
                    qemu.qmp().execute("cont");
                    s += "cont;";
                    qemu.guest().run("true", Duration.ofSeconds(10));
                    s += "guest lives;";
                } catch (IOException e) {
                    s += e;
                    s += "ended " + qemu.hasEnded();
                }
                s += qemu.output();
            } catch (IOException e) {
                s += "START" + e;
            }
            System.out.println(what + ": " + s + "\n" + strict.report().notes() + strict.requirements(Verdict.FAIL) + "\n" + strict.told());
        }
    }
}
