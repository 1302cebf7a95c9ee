package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Without this record, an exomem that starts after this one was killed would not know of the devices. */
@Tag("STA-DET-5")
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class OutgoingGuestDevicesTest {
    @TempDir
    private Path folder;

    private final List<String> seen = new CopyOnWriteArrayList<>();

    private List<String> remembered() {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".detached"))
                    .toList();
        } catch (IOException e) {
            return List.of(e.toString());
        }
    }

    private void lookWhenItIsAboutToBePaused(TwoHosts hosts) {
        hosts.watcher = state -> {
            if (state.status() == Status.DEVICE) {
                seen.addAll(remembered());
            }
        };
    }

    @Test
    void theyAreRememberedUntilTheGuestHasLeft() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            lookWhenItIsAboutToBePaused(hosts);
            hosts.migrate(hosts.request());
            hosts.assertMoved();
        }
        assertThat(seen).contains("a.balloon.detached");
        assertThat(remembered()).isEmpty();
    }

    @Test
    void theyAreForgottenWhenTheyAreBackBecauseTheGuestStays() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            hosts.watcher = state -> {
                if (state.status() == Status.DEVICE) {
                    seen.addAll(remembered());
                    hosts.destination.cancel();
                }
            };
            hosts.migrate(hosts.request());
            assertThat(hosts.source.state().status()).isEqualTo(Status.FAILED);
            hosts.assertUnharmed();
        }
        assertThat(seen).contains("a.balloon.detached");
        assertThat(remembered()).isEmpty();
    }
}
