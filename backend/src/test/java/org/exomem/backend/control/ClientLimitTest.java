package org.exomem.backend.control;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.BalloonOnly;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.vm.ServedVm;
import org.exomem.backend.vm.VmTable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 180, unit = TimeUnit.SECONDS)
@Tag("CTL-19")
class ClientLimitTest {
    @TempDir
    Path folder;

    @Test
    void descriptorsThatVmsMayNeedAreKept() throws Exception {
        assertThat(new ClientLimit(VmTable.of(), () -> 0, () -> 1024).most()).isEqualTo(896);
        assertThat(new ClientLimit(VmTable.of(), () -> 200, () -> 1024).most()).isEqualTo(696);
        try (ServedVm a = BalloonOnly.start("a", folder, event -> {});
                ServedVm b = BalloonOnly.start("b", folder, event -> {})) {
            assertThat(new ClientLimit(VmTable.of(a, b), () -> 0, () -> 1024).most())
                    .isEqualTo(810);
        }
    }

    @Test
    void someClientsAreTakenHoweverFewDescriptorsThereAre() {
        assertThat(new ClientLimit(VmTable.of(), () -> 0, () -> 20).most()).isEqualTo(8);
    }

    @Test
    void thereIsALimitWithoutAnyOfTheSystem() {
        assertThat(new ClientLimit(VmTable.of(), () -> 0, () -> Long.MAX_VALUE).most())
                .isEqualTo(4096);
        assertThat(new ClientLimit(VmTable.of(), () -> 0).most()).isPositive();
    }

    @Test
    void clientAboveTheLimitIsToldSoAndTheOthersGoOn() throws Exception {
        Path socket = folder.resolve("control");
        VmTable vms = VmTable.of();
        Commands commands = new Commands(vms, new Migrations(vms, state -> {}), () -> {});
        List<RawClient> clients = new ArrayList<>();
        try (ControlServer server = ControlServer.listen(socket, commands, new ClientLimit(vms, () -> 0, () -> 0))) {
            assertThat(server).isNotNull();
            for (int i = 0; i < 8; i++) {
                clients.add(RawClient.negotiated(socket));
            }
            try (RawClient refused = new RawClient(socket)) {
                assertThat(refused.receive().path("error").path("desc").asText())
                        .isEqualTo("this control socket has 8 clients, and accepts no more: the remaining file"
                                + " descriptors are reserved for VMs");
                assertThat(refused.isAtEnd()).isTrue();
            }
            assertThat(clients.getFirst().ask("{'execute': 'query-status'}")).contains("'vms':0");
            clients.removeLast().close();
            awaitTaken(socket);
        } finally {
            for (RawClient client : clients) {
                client.close();
            }
        }
    }

    private static void awaitTaken(Path socket) {
        org.awaitility.Awaitility.await().until(() -> {
            try (RawClient next = new RawClient(socket)) {
                return next.receive().has("QMP");
            } catch (IOException e) {
                return false;
            }
        });
    }
}
