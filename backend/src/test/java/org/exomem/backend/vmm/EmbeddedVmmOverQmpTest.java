package org.exomem.backend.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.exomem.backend.Deaf;
import org.exomem.backend.qmp.QmpSession;
import org.exomem.balloon.BalloonOptions;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.embedded.EmbeddedGuest;
import org.exomem.embedded.EmbeddedOptions;
import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.EventLoop;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** All requests of exomem to a VMM, sent to the embedded VMM. */
@Timeout(180)
class EmbeddedVmmOverQmpTest {
    private static final long SIZE = 64 << 20;

    @TempDir
    Path folder;

    @Test
    @Tag("VMM-2")
    @Tag("VMM-4")
    @Tag("VMM-5")
    @Tag("VMM-6")
    @Tag("VMM-7")
    void aGuestIsMovedWithItsDeviceTakenOutAndPutInAgain() throws Exception {
        Path socket = folder.resolve("balloon");
        try (EventLoop loop = new EventLoop("test");
                Endpoint endpoint = Endpoint.listen(
                        socket,
                        new VirtioBalloon(BalloonOptions.defaults(), new Deaf(), new PageFeed(), loop),
                        loop,
                        new Deaf());
                EmbeddedGuest source = EmbeddedGuest.start(options("a").withBalloon(socket));
                EmbeddedGuest destination = EmbeddedGuest.start(options("b").thatIsIncoming());
                QmpVmm here = QmpVmm.connect(source.options().qmp());
                QmpVmm there = QmpVmm.connect(destination.options().qmp())) {
            assertThat(endpoint).isNotNull();
            source.work(20 << 20, 0);
            GuestRamFile ram = here.ram().getFirst();
            assertThat(ram.path()).isEqualTo(source.options().ram());
            assertThat(ram.size()).isEqualTo(SIZE);
            assertThat(here.dirtyLog().orElseThrow().path()).isEqualTo(folder.resolve("a.log"));
            PluggedDevice device = here.devices().getFirst();
            assertThat(device.socket()).isEqualTo(socket);
            assertThatThrownBy(() -> here.saveState(folder.resolve("state"), () -> false))
                    .hasMessageContaining("non-migratable");
            here.unplug(device, () -> false);
            here.pause();
            assertThat(here.isRunning()).isFalse();
            Files.write(destination.options().ram(), Files.readAllBytes(ram.path()), StandardOpenOption.WRITE);
            here.saveState(folder.resolve("state"), () -> false);
            there.loadState(folder.resolve("state"));
            assertThat(there.isRunning()).isFalse();
            there.start();
            assertLeavesNothing(source);
            assertLeavesNothing(destination);
            there.plug(device);
            assertThat(there.isRunning()).isTrue();
            assertThat(there.devices()).hasSize(1);
            assertThat(destination.usage().held()).isEqualTo(20 << 20);
            assertThat(destination.verify()).isEmpty();
        }
    }

    /** Nothing remains of memory in a migration that is not exomem's. */
    private static void assertLeavesNothing(EmbeddedGuest guest) throws Exception {
        try (QmpSession qmp = QmpSession.connect(guest.options().qmp())) {
            assertThat(qmp.execute("query-migrate-capabilities").toString())
                    .isEqualTo("[{\"capability\":\"x-ignore-shared\",\"state\":false}]");
        }
    }

    private EmbeddedOptions options(String name) {
        return EmbeddedOptions.of(folder.resolve(name), SIZE, folder.resolve(name + ".qmp"))
                .withLog(folder.resolve(name + ".log"));
    }
}
