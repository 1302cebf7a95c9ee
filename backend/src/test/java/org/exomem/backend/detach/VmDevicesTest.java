package org.exomem.backend.detach;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.TestVms;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.process.BackendProcess;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.qmp.QmpException;
import org.exomem.backend.qmp.QmpSession;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.embedded.EmbeddedGuest;
import org.exomem.embedded.EmbeddedOptions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Detaches and attaches the balloon of a guest in an embedded VMM, over its QMP socket. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
@Tag("CTL-34")
class VmDevicesTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final long MIB = 1 << 20;
    private static final long SIZE = 64 * MIB;

    @TempDir
    Path folder;

    private BackendProcess process;
    private EmbeddedGuest guest;

    @BeforeEach
    void begin() throws Exception {
        process = serve();
        guest = EmbeddedGuest.start(EmbeddedOptions.of(folder.resolve("ram"), SIZE, folder.resolve("qmp"))
                .withBalloon(folder.resolve("a")));
        await().atMost(LIMIT).until(() -> vm().path("connected").asBoolean());
    }

    @AfterEach
    void end() throws Exception {
        guest.close();
        process.close();
    }

    @Test
    @Tag("STA-DET-1")
    @Tag("STA-DET-3")
    @Tag("STA-DET-4")
    void detachedBalloonComesBackWithItsSizeAfterExomemWasStartedAnew() throws Exception {
        ask("balloon", 48 * MIB);
        await().atMost(LIMIT).until(() -> vm().path("ballooned").asLong() == 16 * MIB);

        assertThat(ask("vm-detach")).isEqualTo("{\"devices\":[\"balloon\"]}");
        assertThat(vm().path("connected").asBoolean()).isFalse();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(record())))
                .isEqualTo("rw-------");
        assertThat(ask("vm-detach")).isEqualTo("{\"devices\":[]}");
        try (QmpClient client = QmpClient.connect(folder.resolve("control"))) {
            client.execute("quit", Json.object());
        }
        process.close();

        process = serve();
        assertThat(vm().has("target")).isFalse();
        assertThat(ask("vm-attach")).isEqualTo("{\"devices\":[\"balloon\"]}");
        assertThat(vm().path("connected").asBoolean()).isTrue();
        assertThat(vm().path("target").asLong()).isEqualTo(48 * MIB);
        await().atMost(LIMIT).until(() -> vm().path("ballooned").asLong() == 16 * MIB);
        assertThat(record()).doesNotExist();
        assertThat(ask("vm-attach")).isEqualTo("{\"devices\":[]}");
        assertThat(guest.verify()).isEmpty();
        assertThat(guest.failure()).isNull();
    }

    @Test
    void sizeThatWasAskedForMeanwhileCounts() throws Exception {
        ask("balloon", 48 * MIB);
        ask("vm-detach");
        ask("balloon", 32 * MIB);
        ask("vm-attach");
        assertThat(vm().path("target").asLong()).isEqualTo(32 * MIB);
    }

    @Test
    @Tag("STA-DET-3")
    void pausedGuestIsRefusedBeforeAnythingIsTouched() throws Exception {
        try (QmpSession qmp = QmpSession.connect(folder.resolve("qmp"))) {
            qmp.execute("stop");
        }
        assertThatThrownBy(() -> ask("vm-detach"))
                .isInstanceOf(QmpException.class)
                .hasMessageContaining("its guest is paused");
        assertThat(record()).doesNotExist();
        assertThat(vm().path("connected").asBoolean()).isTrue();
    }

    @Test
    @Tag("STA-DET-3")
    void vmWithMemoryPluggedOrADeviceThatTheVmmDoesNotKnowIsRefusedBeforeAnythingIsTouched() throws Exception {
        process.reload(config(balloon())
                .and(new ServeConfig(
                        Optional.empty(),
                        List.of(),
                        List.of(ServeConfig.mem(
                                "vm=a,id=m,addr=4G,size=64M,block=2M,requested=2M,socket=" + folder.resolve("m"))),
                        Optional.empty())));
        try (GuestRam ram = GuestRam.withPciHole(SIZE, 64 * MIB);
                MemDriver driver = TestVms.memory(folder.resolve("m"), ram)) {
            assertThat(driver.plug(4L << 30, 1)).isEqualTo(MemDriver.Answer.ACK);
            assertThatThrownBy(() -> ask("vm-detach"))
                    .hasMessageContaining("its memory device \"m\" has 2 MiB plugged")
                    .hasMessageContaining("exomem mem a m 0 --wait");
            assertThat(driver.unplugAll()).isEqualTo(MemDriver.Answer.ACK);
            assertThatThrownBy(() -> ask("vm-detach"))
                    .hasMessageContaining("a VMM is attached to its device \"m\", but the VMM on the QMP socket has no"
                            + " such device");
        }
        assertThat(record()).doesNotExist();
        assertThat(vm().path("connected").asBoolean()).isTrue();
    }

    @Test
    @Tag("STA-DET-2")
    void recordThatCannotBeUsedIsRefusedAndLeftAsItIs() throws Exception {
        ask("vm-detach");
        String good = Files.readString(record());
        for (String bad : List.of("", "{}", good.replace("vhost-user-", "virtio-"), good.replace("\"a\"", "\"b\""))) {
            Files.writeString(record(), bad);
            assertThatThrownBy(() -> ask("vm-attach"))
                    .isInstanceOf(QmpException.class)
                    .hasMessageContaining(record().toString())
                    .hasMessageContaining("exomem leaves the file unchanged");
            assertThat(record()).hasContent(bad);
        }
        Files.delete(record());
        Files.createSymbolicLink(record(), Files.writeString(folder.resolve("elsewhere"), good));
        assertThatThrownBy(() -> ask("vm-attach")).hasMessageContaining("can't be used");
        assertThat(vm().path("connected").asBoolean()).isFalse();
    }

    @Test
    void vmWithoutQmpSocketIsRefusedUntilItIsNamed() throws Exception {
        process.reload(config("vm=a,socket=" + folder.resolve("a")));
        assertThat(ask("vm-detach")).isEqualTo("{\"devices\":[\"balloon\"]}");
        await().atMost(LIMIT)
                .until(() -> vm().path("attachment")
                        .asText()
                        .equals(folder.resolve("a").toString()));
        assertThatThrownBy(() -> ask("vm-attach")).hasMessageContaining("the QMP socket of its VMM is not known");
    }

    private BackendProcess serve() throws IOException, ConfigException {
        BackendProcess started = new BackendProcess();
        started.start(config(balloon()), Optional.of(folder.resolve("control")));
        return started;
    }

    private String balloon() {
        return "vm=a,socket=" + folder.resolve("a") + ",deflate-on-oom,vmm-qmp=" + folder.resolve("qmp");
    }

    private ServeConfig config(String balloon) throws ConfigException {
        return new ServeConfig(Optional.of(folder.resolve("control")), List.of(ServeConfig.balloon(balloon)));
    }

    private Path record() {
        return folder.resolve("a.detached");
    }

    private JsonNode vm() throws IOException {
        try (QmpClient client = QmpClient.connect(folder.resolve("control"))) {
            return client.execute("query-vms", Json.object()).path(0);
        }
    }

    private void ask(String command, long value) throws IOException {
        try (QmpClient client = QmpClient.connect(folder.resolve("control"))) {
            client.execute(command, Json.object().put("vm", "a").put("value", value));
        }
    }

    private String ask(String command) throws IOException {
        try (QmpClient client = QmpClient.connect(folder.resolve("control"))) {
            return Json.text(client.execute(command, Json.object().put("vm", "a"), LIMIT));
        }
    }
}
